-- Undoes a foreign fill of a key that was made old meanwhile, once for all nodes of ours.
-- KEYS: the hash, what is beside it. ARGV: names the fill, how long what is beside is kept (ms), channel, message.
if redis.call('HGET', KEYS[2], 'undone') == ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'undone', ARGV[1])
redis.call('HDEL', KEYS[2], 'fence', 'turn', 'until')
keep(KEYS[2], tonumber(ARGV[2]))
local found = look(KEYS[1])
if found[2] and not note_on(found) then redis.call('DEL', KEYS[1]) end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
