#!lua name=unstale
-- The second level on a server. docs/formats/redis-store.md says what is kept where, docs/redis.md what each loss does.
-- Every call: KEYS[1] marks, KEYS[2] fences, KEYS[3] count, then the record and the turn of each key.
-- ARGV: database, new generation (16 bytes), new count, shards, quarantine in ms, the most tags, cache, then the call's own.
local HEAD, FENCES, GENERATION, BUCKETS = 59, 16384, 16, 64
-- The most caches that have marks of their own; the marks of further ones hold in every cache.
local CACHES = 1024
local ZERO = '\0\0\0\0\0\0\0\0'

-- What this process saw last, by database and marks. Another process, or this one with other data, is another generation.
local seen, seen_count = {}, 0

local function number(text) return (struct.unpack('>I8', text)) end
local function bytes(value) return struct.pack('>I8', value) end
local function text_of(value) return string.format('%.0f', value) end

-- Whether stamp a is above stamp b. Both are 8 bytes; they exceed what a Lua number holds.
local function above(a, b)
  local ah, al = struct.unpack('>I4I4', a)
  local bh, bl = struct.unpack('>I4I4', b)
  return ah > bh or (ah == bh and al > bl)
end

local function most(a, b) if above(b, a) then return b end return a end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The marks of a cache or of all: clear (count, stamp), forgotten (count, stamp), whether there are new and old tags.
local function scope_of(packed)
  if not packed then return { 0, ZERO, 0, ZERO, 0, 0 } end
  return { number(packed), packed:sub(9, 16), number(packed:sub(17, 24)), packed:sub(25, 32), packed:byte(33),
    packed:byte(34) }
end

local function save_scope(at, name, scope)
  local packed = bytes(scope[1]) .. scope[2] .. bytes(scope[3]) .. scope[4] .. string.char(scope[5], scope[6])
  redis.call('HSET', at.marks, name, packed)
end

local function save_count(at)
  redis.call('SET', at.counter, at.generation .. bytes(at.count))
end

-- Nothing that was given out or kept before holds any more.
local function begin(at, argv)
  at.generation, at.count, at.highest, at.from = argv[2], tonumber(argv[3]), ZERO, now_ms() + tonumber(argv[5])
  redis.call('DEL', at.marks)
  redis.call('HSET', at.marks, 'g', at.generation, 'n', text_of(at.count), 'h', at.highest, 'q', text_of(at.from),
    's', argv[4])
  redis.call('SET', at.fences, at.generation .. string.rep(bytes(at.count) .. ZERO, FENCES))
  save_count(at)
end

local function remember(at)
  local of_database = seen[at.database]
  if not of_database then of_database = {}; seen[at.database] = of_database end
  local last = of_database[at.marks]
  if not last then
    if seen_count >= 4096 then seen, seen_count, of_database = {}, 0, {}; seen[at.database] = of_database end
    last = {}
    of_database[at.marks] = last
    seen_count = seen_count + 1
  end
  last.generation, last.count = at.generation, at.count
end

local function open(keys, argv)
  local at = { marks = keys[1], fences = keys[2], counter = keys[3], database = argv[1], cache = argv[7],
    tags_max = tonumber(argv[6]) }
  at.field = 'c' .. at.cache
  local kept = redis.call('HMGET', at.marks, 'g', 'n', 'h', 'q', 's', '*', at.field)
  if kept[5] and kept[5] ~= argv[4] then
    return nil, redis.error_reply('SHARDS are ' .. kept[5] .. ' and not ' .. argv[4])
  end
  local last = seen[at.database] and seen[at.database][at.marks]
  at.generation, at.count, at.highest, at.from = kept[1], tonumber(kept[2]), kept[3], tonumber(kept[4])
  if not (last and kept[1] == last.generation and at.count >= last.count) then
    begin(at, argv)
    remember(at)
    kept[6], kept[7] = false, false
  end
  at.all, at.own, at.is_known = scope_of(kept[6]), scope_of(kept[7]), kept[7] and true
  at.clear = math.max(at.all[1], at.own[1])
  return at
end

-- Counts one change, said with this stamp.
local function change(at, stamp)
  at.count = at.count + 1
  at.highest = most(at.highest, stamp)
  redis.call('HSET', at.marks, 'n', text_of(at.count), 'h', at.highest)
  save_count(at)
  remember(at)
  return at.count
end

-- What readers look at beside the record: generation, the last clear, and for each bucket of tags its last mark.
local function copy_key(at, field) return at.marks:sub(1, -2) .. field end

-- Makes sure that there is one: without it readers have to ask here.
local function show(at)
  local key = copy_key(at, at.field)
  if redis.call('GETRANGE', key, 0, GENERATION - 1) == at.generation then return end
  local bucket = bytes(at.count)
  if not at.is_known then
    if redis.call('HLEN', at.marks) >= CACHES then return end
    save_scope(at, at.field, at.own)
    bucket = ZERO
  end
  redis.call('SET', key, at.generation .. bytes(at.clear) .. string.rep(bucket, BUCKETS))
end

-- Shows a change of a scope: 8 bytes at this offset of its copy, or of every copy.
local function show_change(at, name, offset)
  local fields = { name }
  if name == '*' then
    fields = {}
    for _, field in ipairs(redis.call('HKEYS', at.marks)) do
      if field:sub(1, 1) == 'c' then fields[#fields + 1] = field end
    end
  end
  for _, field in ipairs(fields) do
    local key = copy_key(at, field)
    if redis.call('GETRANGE', key, 0, GENERATION - 1) == at.generation then
      redis.call('SETRANGE', key, offset, bytes(at.count))
    end
  end
end

-- Whether these flags of a body say that it has a version.
local function has_version(flags) return math.floor(flags / 2) % 2 == 1 end

local function tags_key(at, name, age)
  return at.marks .. age .. name
end

-- The highest marks over these tags within one scope; marks that are gone stand for now.
local function over_tags(at, name, scope, tags)
  local count, stamp = scope[3], scope[4]
  for place = 5, 6 do
    if scope[place] == 1 then
      local age = place == 5 and 'y' or 'o'
      local found = redis.call('HMGET', tags_key(at, name, age), 'g', unpack(tags))
      if found[1] ~= at.generation then
        scope[place] = 0
        scope[3], scope[4] = at.count, at.highest
        save_scope(at, name, scope)
        count, stamp = scope[3], scope[4]
      else
        for i = 2, #found do
          local mark = found[i]
          if mark then
            count = math.max(count, number(mark))
            stamp = most(stamp, mark:sub(9, 16))
          end
        end
      end
    end
  end
  return count, stamp
end

-- The marks over something with these tags: count and stamp.
local function over(at, tags)
  local count, stamp = at.clear, most(at.all[2], at.own[2])
  if #tags > 0 then
    local count_all, stamp_all = over_tags(at, '*', at.all, tags)
    local count_own, stamp_own = over_tags(at, at.field, at.own, tags)
    count = math.max(count, count_all, count_own)
    stamp = most(stamp, most(stamp_all, stamp_own))
  end
  return count, stamp
end

-- Tags as fields: a count, then each with its length.
local function tags_of(text, from)
  local tags, n, place = {}, struct.unpack('>I2', text, from), from + 2
  for i = 1, n do
    local length = struct.unpack('>I4', text, place)
    tags[i] = 't' .. text:sub(place + 4, place + 3 + length)
    place = place + 4 + length
  end
  return tags
end

-- What stands under a record's key, if it is of this generation: its text and the count of its last change.
local function held(at, text)
  if not text or #text < HEAD or text:sub(1, GENERATION) ~= at.generation then return nil end
  return text, number(text:sub(17, 24))
end

-- Whether it may be served: neither ended by a mark nor past its time.
local function is_live(at, text, count, now)
  if at.clear > count or number(text:sub(41, 48)) <= now then return false end
  if text:byte(58) == 0 and text:byte(59) == 0 then return true end
  local mark = over(at, tags_of(text, 58))
  return mark <= count
end

-- ARGV from 8: the turn in ms or -1 to read only, the mark of who asks.
-- Answers: the time in ms, the count, then for each key whether its turn is another's, and its record.
local function get(keys, argv)
  local at, failure = open(keys, argv)
  if not at then return failure end
  show(at)
  local now, turn, mine = now_ms(), tonumber(argv[8]), argv[9]
  local answer = { now, at.count }
  for i = 4, #keys, 2 do
    local there = redis.call('GET', keys[i])
    local text, count = held(at, there)
    if text and not is_live(at, text, count, now) then text = nil end
    local other = false
    if turn >= 0 then
      if not text then
        if there and #there == #mine then
          other = there
        else
          redis.call('SET', keys[i], mine, 'PX', turn)
        end
      elseif number(text:sub(33, 40)) <= now then
        other = redis.call('SET', keys[i + 1], mine, 'NX', 'GET', 'PX', turn)
      end
    end
    answer[#answer + 1] = (other and other ~= mine) and 1 or 0
    answer[#answer + 1] = text or false
  end
  return answer
end

-- The fence of a key: the count and the highest stamp of the last change of it, or of one that shares it.
local function fence_of(at, place)
  if redis.call('GETRANGE', at.fences, 0, GENERATION - 1) ~= at.generation then
    redis.call('SET', at.fences, at.generation .. string.rep(bytes(at.count) .. at.highest, FENCES))
  end
  local from = GENERATION + 16 * place
  local fence = redis.call('GETRANGE', at.fences, from, from + 15)
  return number(fence), fence:sub(9, 16), from
end

local function raise_fence(at, place, stamp)
  local _, highest, from = fence_of(at, place)
  redis.call('SETRANGE', at.fences, from, bytes(at.count) .. most(stamp, highest))
end

-- Ends the turn of whoever has this mark.
local function end_turn(keys, mark)
  if redis.call('GET', keys[4]) == mark then redis.call('DEL', keys[4]) end
  if redis.call('GET', keys[5]) == mark then redis.call('DEL', keys[5]) end
end

-- ARGV from 8: the key's fence, the lease or -1 for newer only, the mark of who asks, stamp, fresh and kept for in ms, the
-- body. Answers 1 if it was stored.
local function put(keys, argv)
  local at, failure = open(keys, argv)
  if not at then return failure end
  show(at)
  local now, place, lease, stamp, body = now_ms(), tonumber(argv[8]), tonumber(argv[9]), argv[11], argv[14]
  local mark, mark_stamp = over(at, tags_of(body, 10))
  local text, count = held(at, redis.call('GET', keys[4]))
  local fence, fence_stamp = fence_of(at, place)
  local holds
  if lease < 0 then
    holds = now >= at.from and above(stamp, mark_stamp) and above(stamp, fence_stamp)
  else
    holds = (text and count or fence) <= lease and mark <= lease and lease <= at.count
  end
  if holds and has_version(body:byte(1)) and text and has_version(text:byte(49)) and is_live(at, text, count, now) then
    holds = not above(text:sub(50, 57), body:sub(2, 9))
  end
  if not holds then
    end_turn(keys, argv[10])
    return 0
  end
  local n = change(at, stamp)
  local fresh, keep = argv[12] == '0' and 0 or now + tonumber(argv[12]), now + tonumber(argv[13])
  local head = at.generation .. bytes(n) .. stamp .. bytes(fresh) .. bytes(keep)
  redis.call('SET', keys[4], head .. body, 'PXAT', text_of(keep))
  redis.call('DEL', keys[5])
  raise_fence(at, place, stamp)
  return 1
end

-- ARGV from 8: stamp, then each key's fence.
local function remove(keys, argv)
  local at, failure = open(keys, argv)
  if not at then return failure end
  change(at, argv[8])
  for i = 4, #keys, 2 do
    redis.call('DEL', keys[i], keys[i + 1])
    raise_fence(at, tonumber(argv[9 + (i - 4) / 2]), argv[8])
  end
  return 1
end

-- As remove; what may still be served stays, stale.
local function expire(keys, argv)
  local at, failure = open(keys, argv)
  if not at then return failure end
  local now = now_ms()
  local n = change(at, argv[8])
  for i = 4, #keys, 2 do
    local text, count = held(at, redis.call('GET', keys[i]))
    if text and is_live(at, text, count, now) then
      redis.call('SETRANGE', keys[i], 16, bytes(n))
      -- Stale by every clock: readers judge by what they know of this one.
      redis.call('SETRANGE', keys[i], 32, ZERO)
      redis.call('DEL', keys[i + 1])
    else
      redis.call('DEL', keys[i], keys[i + 1])
    end
    raise_fence(at, tonumber(argv[9 + (i - 4) / 2]), argv[8])
  end
  return 1
end

-- The new tags become the old ones; what was old before stands for every tag from now on.
local function rotate(at, name, scope, mark)
  local new, old = tags_key(at, name, 'y'), tags_key(at, name, 'o')
  redis.call('HSET', new, 'r', mark)
  if scope[6] == 1 then
    local last = redis.call('HMGET', old, 'g', 'r')
    local forgotten = last[1] == at.generation and last[2] or mark
    scope[3] = math.max(scope[3], number(forgotten))
    scope[4] = most(scope[4], forgotten:sub(9, 16))
  end
  redis.call('UNLINK', old)
  redis.call('RENAME', new, old)
  scope[5], scope[6] = 0, 1
  save_scope(at, name, scope)
end

local function raise_tag(at, name, scope, tag, stamp)
  local new = tags_key(at, name, 'y')
  local kept = redis.call('HMGET', new, 'g', tag)
  if scope[5] == 1 and kept[1] ~= at.generation then
    scope[5], scope[3], scope[4] = 0, at.count, at.highest
  end
  local before = ZERO
  if scope[5] == 0 then
    redis.call('UNLINK', new)
    redis.call('HSET', new, 'g', at.generation)
    scope[5] = 1
    save_scope(at, name, scope)
  elseif kept[2] then
    before = kept[2]:sub(9, 16)
  end
  redis.call('HSET', new, tag, bytes(at.count) .. most(stamp, before))
  if redis.call('HLEN', new) > at.tags_max then rotate(at, name, scope, bytes(at.count) .. at.highest) end
end

-- ARGV from 8: stamp, 1 for every cache, then the tag and its bucket if there is one.
local function raise(keys, argv)
  local at, failure = open(keys, argv)
  if not at then return failure end
  local stamp, tag = argv[8], argv[10]
  change(at, stamp)
  local name, scope = at.field, at.own
  if argv[9] == '1' or (not at.is_known and redis.call('HLEN', at.marks) >= CACHES) then
    name, scope = '*', at.all
  end
  if tag then
    raise_tag(at, name, scope, 't' .. tag, stamp)
    show_change(at, name, GENERATION + 8 + 8 * tonumber(argv[11]))
  else
    scope[1], scope[2] = at.count, most(scope[2], stamp)
    save_scope(at, name, scope)
    show_change(at, name, GENERATION)
  end
  return 1
end

-- ARGV from 8: the mark of whose turn it was.
local function release(keys, argv)
  end_turn(keys, argv[8])
  return 1
end

-- What ends something is let in however full the server is.
redis.register_function{ function_name = 'unstale_get', callback = get, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'unstale_put', callback = put }
redis.register_function{ function_name = 'unstale_remove', callback = remove, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'unstale_expire', callback = expire, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'unstale_raise', callback = raise, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'unstale_release', callback = release, flags = { 'allow-oom' } }
