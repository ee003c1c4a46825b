-- Takes the turns for keys whose entries turned out to be no use: for each key 1 if another reader has it.
-- KEYS: what is beside each key.
-- ARGV: the leases' instant, how long a turn is kept (ms), how long a fence is kept (ms), then for each key its lease's print.
local answer = {}
for i = 1, #KEYS do
  local side, print = KEYS[i], ARGV[i + 3]
  local token = print .. ARGV[1]
  local beside = redis.call('HMGET', side, 'turn', 'until')
  if beside[1] and beside[1] ~= token and string.sub(beside[1], 1, 16) == print and tonumber(beside[2]) > now then
    answer[i] = 1
  else
    redis.call('HSET', side, 'turn', token, 'until', text(now + ARGV[2] * 1000))
    keep(side, math.max(tonumber(ARGV[2]), tonumber(ARGV[3])))
    answer[i] = 0
  end
end
return answer
