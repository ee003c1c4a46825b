-- KEYS: the marks of clears (remove, expire), then for each key its hash and what is beside it.
-- ARGV: how long a turn is kept (ms, 0 to take none), a nonce, how long a fence is kept (ms).
local remove, expire = look(KEYS[1]), look(KEYS[2])
local turn, nonce, fence_ms = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local answer = { text(now), remove, expire }
for i = 3, #KEYS, 2 do
  local hash, side = KEYS[i], KEYS[i + 1]
  local found = look(hash)
  local beside = redis.call('HMGET', side, 'fence', 'ended', 'turn', 'until')
  local stood, left, copy = nil, 0, 0
  if found[1] and found[2] then
    stood, left = content(found), redis.call('PTTL', hash)
  else
    stood = beside[1]
    if not stood then
      stood = nonce .. ' ' .. i
      redis.call('HSET', side, 'fence', stood)
    end
    keep(side, fence_ms)
    local kept = redis.call('HMGET', side, 'absexp', 'data', 'note', 'kept')
    if kept[2] and tonumber(kept[4]) > now then
      found, left, copy = { kept[1], kept[2], kept[3] }, math.ceil((kept[4] - now) / 1000), 1
    end
  end
  local print = print_of(stood, remove, expire)
  local note = note_on(found)
  local is_fresh = found[2] and copy == 0 and not (note and note.fresh <= now)
  local taken = 0
  if turn > 0 and not is_fresh then
    local token = print .. text(now)
    if beside[3] and beside[3] ~= token and string.sub(beside[3], 1, 16) == print and tonumber(beside[4]) > now then
      taken = 1
    else
      redis.call('HSET', side, 'turn', token, 'until', text(now + turn * 1000))
      keep(side, math.max(fence_ms, turn))
    end
  end
  answer[#answer + 1] = { found[1], found[2], found[3], left, beside[2], print, taken, copy }
end
return answer
