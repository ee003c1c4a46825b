-- The register of a group, one hash, so that it is lost as a whole or not at all. Described in docs/formats/redis.md.
-- ARGV: what is asked, the server's run id, a number that was never used, then as the request needs.
local register, call = KEYS[1], redis.call
if ARGV[1] == 'stream' then
  -- The ids of the first and the last entry of a stream, which is the key then.
  local first, last = call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1], call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  return {first and first[1] or '', last and last[1] or ''}
end
local LIVE_MAX, ENDED_MAX, ENDED_MS, IDLE_MS = 1024, 4096, 660000, 86400000

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local life = ARGV[2] .. string.match(call('INFO', 'replication'), 'master_replid:(%x+)')

local seen = call('HMGET', register, 'life', 'era', 'version', 'live', 'first', 'next', 'oldest')
local era, version, live = seen[2], seen[3], seen[4]
local first, next, oldest = tonumber(seen[5]), tonumber(seen[6]), tonumber(seen[7])
-- Without memory a server refuses a script's first write if that needs any, and none after it: this one needs none.
call('PEXPIRE', register, IDLE_MS)
if seen[1] ~= life then
  -- Flushed, restarted, or another server took over: nothing of before is to be relied on.
  era, version, live, first, next, oldest = ARGV[3], 1, '', 1, 1, 0
  call('DEL', register)
  call('HSET', register, 'life', life, 'era', era, 'version', 1, 'live', '', 'slots', 0, 'first', 1, 'next', 1, 'oldest', 0)
  call('PEXPIRE', register, IDLE_MS)
end

local function changed()
  version = call('HINCRBY', register, 'version', 1)
end

local function forget_old()
  local before = first
  while first < next and (next - first > ENDED_MAX or now - call('HGET', register, 't:' .. first) > ENDED_MS) do
    local id = call('HGET', register, 'd:' .. first)
    call('HDEL', register, 't:' .. first, 'e:' .. first, 'd:' .. first, 'x:' .. id)
    first = first + 1
  end
  if first ~= before then
    oldest = first < next and call('HGET', register, 't:' .. first) or 0
    call('HSET', register, 'first', first, 'oldest', oldest)
    changed()
  end
end

local function finish(id, row)
  local slot = call('HGET', register, 'i:' .. id)
  if slot then
    call('HDEL', register, 'i:' .. id, 'a:' .. slot, 'n:' .. slot)
    local left = {}
    for other in string.gmatch(live, '%d+') do
      if other ~= slot then left[#left + 1] = other end
    end
    live = table.concat(left, ' ')
  end
  local at = string.format('%.0f', now)
  call('HSET', register, 'live', live, 't:' .. next, at, 'e:' .. next, row, 'd:' .. next, id, 'x:' .. id, next, 'next', next + 1)
  if first == next then call('HSET', register, 'oldest', at) end
  next = next + 1
  forget_old()
  changed()
end

local function each(prefix, numbers)
  local found = {}
  for begin = 1, #numbers, 1000 do
    local fields = {}
    for index = begin, math.min(begin + 999, #numbers) do
      fields[#fields + 1] = prefix .. numbers[index]
    end
    for _, value in ipairs(call('HMGET', register, unpack(fields))) do
      found[#found + 1] = value
    end
  end
  return found
end

local what, id = ARGV[1], ARGV[4]
if what == 'enter' then
  if call('HEXISTS', register, 'i:' .. id) == 0 and call('HEXISTS', register, 'x:' .. id) == 0 then
    local _, count = string.gsub(live, '%d+', '')
    if count >= LIVE_MAX then return redis.error_reply('FULL the register has ' .. LIVE_MAX .. ' entries') end
    local slot = call('HINCRBY', register, 'slots', 1)
    live = live == '' and tostring(slot) or live .. ' ' .. slot
    call('HSET', register, 'i:' .. id, slot, 'a:' .. slot, ARGV[5], 'n:' .. slot, 0, 'live', live)
    changed()
  end
  return 1
elseif what == 'retire' then
  if call('HEXISTS', register, 'x:' .. id) == 0 then finish(id, ARGV[5]) end
  return 1
elseif what == 'expel' then
  local slot = call('HGET', register, 'i:' .. id)
  local renewals = slot and call('HGET', register, 'n:' .. slot) or ''
  if era == ARGV[6] and renewals == ARGV[7] and call('HEXISTS', register, 'x:' .. id) == 0 then
    finish(id, ARGV[5])
    return 1
  end
  return 0
end

-- read
if oldest ~= 0 and now - oldest > ENDED_MS then forget_old() end
local slot = id ~= '' and call('HGET', register, 'i:' .. id)
if slot then call('HINCRBY', register, 'n:' .. slot, 1) end
local slots = {}
for other in string.gmatch(live, '%d+') do slots[#slots + 1] = other end
local head = {era, tostring(version), string.format('%.0f', now), each('n:', slots)}
if era == ARGV[5] and tostring(version) == ARGV[6] then return head end
local numbers = {}
for number = first, next - 1 do numbers[#numbers + 1] = string.format('%.0f', number) end
head[5], head[6], head[7] = each('a:', slots), each('t:', numbers), each('e:', numbers)
return head
