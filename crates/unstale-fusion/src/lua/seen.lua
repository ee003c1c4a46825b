-- Notes that a foreign writer raised a mark by now. KEYS: the mark.
local found = look(KEYS[1])
if found[2] then
  local _, stamp = raised(found)
  if stamp == '' then stamp = '0' end
  redis.call('HSET', KEYS[1], 'unstale', '1 ' .. text(now) .. ' ' .. stamp)
end
return found
