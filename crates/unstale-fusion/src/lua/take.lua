-- Takes the turn for a key whose entry turned out to be no use. KEYS: what is beside the key.
-- ARGV: the lease's print and instant, how long a turn is kept (ms), how long a fence is kept (ms).
local token = ARGV[1] .. ARGV[2]
local beside = redis.call('HMGET', KEYS[1], 'turn', 'until')
if beside[1] and beside[1] ~= token and string.sub(beside[1], 1, 16) == ARGV[1] and tonumber(beside[2]) > now then
  return 1
end
redis.call('HSET', KEYS[1], 'turn', token, 'until', text(now + ARGV[3] * 1000))
keep(KEYS[1], math.max(tonumber(ARGV[3]), tonumber(ARGV[4])))
return 0
