-- KEYS: the hash, what is beside it, the marks of clears (remove, expire), the marks of the entry's tags.
-- ARGV: kind ('f': fill under a lease, 's': set), the lease's print and instant, stamp, version, absexp, data,
--       fresh for, kept for, how long what is beside is kept (ms), channel, message (empty for none).
local kind, print, began, stamp, version = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local hash, side = KEYS[1], KEYS[2]
local found, remove, expire = look(hash), look(KEYS[3]), look(KEYS[4])
local note = note_on(found)

local function refuse()
  if kind == 'f' and redis.call('HGET', side, 'turn') == print .. began then
    redis.call('HDEL', side, 'turn', 'until')
  end
  return { 0, '' }
end

if kind == 'f' then
  local stood = (found[1] and found[2]) and content(found) or redis.call('HGET', side, 'fence')
  if not stood or print_of(stood, remove, expire) ~= print then return refuse() end
  for i = 5, #KEYS do
    if raised(look(KEYS[i])) >= tonumber(began) then return refuse() end
  end
else
  began = text(now)
  local before = redis.call('HGET', side, 'stamp')
  if before and before >= stamp then return refuse() end
  if note and note.stamp >= stamp then return refuse() end
  for i = 3, #KEYS do
    local _, raised_with = raised(look(KEYS[i]))
    if raised_with >= stamp then return refuse() end
  end
end
if note and note.version ~= '' and version ~= '' and version < note.version then
  local cleared = math.max((raised(remove)), (raised(expire)))
  if note.began > cleared then return refuse() end
end

local fresh_until = text(now + ARGV[8] * 1000)
local written = table.concat({ '1', ARGV[6], #ARGV[7], kind, began, stamp, version, fresh_until }, ' ')
if found.is_other then redis.call('DEL', hash) end
redis.call('HSET', hash, 'absexp', ARGV[6], 'sldexp', '-1', 'data', ARGV[7], 'unstale', written)
redis.call('PEXPIRE', hash, ARGV[9])
redis.call('HDEL', side, 'fence', 'turn', 'until', 'absexp', 'data', 'note', 'kept')
if kind == 's' then
  raise_stamp(side, stamp)
  redis.call('HSET', side, 'ended', text(now))
end
keep(side, tonumber(ARGV[10]))
if ARGV[12] ~= '' then redis.call('PUBLISH', ARGV[11], ARGV[12]) end
return { 1, (found[2] and not note) and found[2] or '' }
