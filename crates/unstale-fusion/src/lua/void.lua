-- Makes keys old. KEYS: for each key its hash and what is beside it.
-- ARGV: 'remove' or 'expire', stamp, how long what is beside is kept (ms), channel, a message for each key.
local how, stamp, fence_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
for i = 1, #KEYS, 2 do
  local hash, side = KEYS[i], KEYS[i + 1]
  local left = 0
  if how == 'expire' then
    local found = look(hash)
    if found[1] and found[2] then
      left = redis.call('PTTL', hash)
      if left > 0 then
        redis.call('HSET', side, 'absexp', found[1], 'data', found[2], 'note', found[3] or '', 'kept', text(now + left * 1000))
      end
    end
  else
    redis.call('HDEL', side, 'absexp', 'data', 'note', 'kept')
  end
  redis.call('DEL', hash)
  redis.call('HDEL', side, 'fence', 'turn', 'until')
  raise_stamp(side, stamp)
  redis.call('HSET', side, 'ended', text(now))
  keep(side, math.max(fence_ms, left))
end
for i = 5, #ARGV do redis.call('PUBLISH', ARGV[4], ARGV[i]) end
return text(now)
