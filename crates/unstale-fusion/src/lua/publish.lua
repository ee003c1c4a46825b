-- ARGV: channel, messages.
for i = 2, #ARGV do redis.call('PUBLISH', ARGV[1], ARGV[i]) end
return text(now)
