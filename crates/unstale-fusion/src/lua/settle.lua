-- A foreign writer made a key old. What a node of ours filled with a load that began before is made old again.
-- KEYS: the hash, what is beside it. ARGV: how long what is beside is kept (ms), channel, message.
local note = note_on(look(KEYS[1]))
redis.call('HDEL', KEYS[2], 'fence', 'turn', 'until', 'absexp', 'data', 'note', 'kept')
redis.call('HSET', KEYS[2], 'ended', text(now))
keep(KEYS[2], tonumber(ARGV[1]))
if note and note.kind == 'f' then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[2], ARGV[3])
  return 1
end
return 0
