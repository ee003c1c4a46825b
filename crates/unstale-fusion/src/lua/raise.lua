-- Writes a mark, if it still holds what was read. KEYS: the mark.
-- ARGV: absexp and data that were read, absexp, data, kept for (ms), stamp, channel, message.
local found = look(KEYS[1])
if (found[1] or '') ~= ARGV[1] or (found[2] or '') ~= ARGV[2] then return { 0, found } end
local at, stamp = raised(found)
if found.is_other then redis.call('DEL', KEYS[1]) end
if ARGV[6] > stamp then stamp = ARGV[6] end
redis.call('HSET', KEYS[1], 'absexp', ARGV[3], 'sldexp', '-1', 'data', ARGV[4],
  'unstale', '1 ' .. text(math.max(at, now)) .. ' ' .. stamp)
keep(KEYS[1], tonumber(ARGV[5]))
redis.call('PUBLISH', ARGV[7], ARGV[8])
return { 1, found }
