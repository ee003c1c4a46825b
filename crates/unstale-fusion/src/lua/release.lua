-- Gives a turn back. KEYS: what is beside the key. ARGV: the lease's print and instant.
if redis.call('HGET', KEYS[1], 'turn') == ARGV[1] .. ARGV[2] then redis.call('HDEL', KEYS[1], 'turn', 'until') end
return 0
