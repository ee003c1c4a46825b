-- Put before every script. Times are microseconds of this server's clock since 1970.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function text(number) return string.format('%.0f', number) end

-- Lets a key live for at least so many milliseconds.
local function keep(key, milliseconds)
  local left = redis.call('PTTL', key)
  if left ~= -2 and left < milliseconds then redis.call('PEXPIRE', key, milliseconds) end
end

-- What a hash of the second level holds: absexp, data, our note. What is no hash holds nothing, as to .NET nodes.
local function look(hash)
  local found = redis.pcall('HMGET', hash, 'absexp', 'data', 'unstale')
  if found.err then return { false, false, false, is_other = true } end
  return found
end

-- Our note on an entry, if it was written together with the entry: .NET nodes leave it there when they overwrite one.
local function note_on(found)
  if not (found[1] and found[2] and found[3]) then return nil end
  local absexp, length, kind, began, stamp, version, fresh =
    string.match(found[3], '^1 (%-?%d+) (%d+) (%a) (%d+) (%d+) (%d*) (%d+)$')
  if absexp ~= found[1] or tonumber(length) ~= #found[2] then return nil end
  return { kind = kind, began = tonumber(began), stamp = stamp, version = version, fresh = tonumber(fresh) }
end

-- When a mark was last raised as far as we know, and the stamp of the act of ours that did.
local function raised(found)
  local at, stamp = string.match(found[3] or '', '^1 (%d+) (%d+)$')
  return tonumber(at or 0), stamp or ''
end

-- Tells one content of a hash from another.
local function content(found)
  return found[1] .. ' ' .. #found[2] .. ' ' .. string.sub(found[2], -512)
end

-- What a lease stands for: the entry, or else the fence beside it, and both marks of clears.
local function print_of(stood, remove, expire)
  local parts = { stood }
  for _, mark in ipairs({ remove, expire }) do
    parts[#parts + 1] = (mark[1] and mark[2]) and content(mark) or ''
  end
  return string.sub(redis.sha1hex(table.concat(parts, '|')), 1, 16)
end

local function raise_stamp(side, stamp)
  local before = redis.call('HGET', side, 'stamp')
  if not before or before < stamp then redis.call('HSET', side, 'stamp', stamp) end
end
