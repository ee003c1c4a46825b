-- KEYS: marks. Answers with what each holds.
local answer = { text(now) }
for i = 1, #KEYS do answer[#answer + 1] = look(KEYS[i]) end
return answer
