-- take.4.lua: a place under a limit of the fleet, or a turn in the queue for one. First in, first out.
-- KEYS  1 places: zset, concurrency: holder → since; rate: holder → start; `<start> <holder>` → start of one released
--       2 queue: zset waiter → turn   3 due: zset waiter → when it is expected to ask
--       4 who: hash waiter, holder of a concurrency → `<version> <limit> <turn>`; `per` → longest one asked of a rate
-- ARGV  1 holder   2 limit   3 per, ms, or ''   4 version of its run   5 late, ms   6 forgotten, ms   7 poll, ms
--       8 poll spread, ms
-- Result {1: granted | 0, waiters ahead, when to ask again, ms, 1: the first in the queue may come and is not called}
-- Touches: all KEYS. Times and turns are microseconds. A waiter that is late is passed over, and keeps its turn in
-- `who` until it is forgotten. Places of a concurrency never expire, and while one is held neither does `who`.
local call, DAY = redis.call, 86400000
local time = call('TIME')
local now, holder, limit, per = time[1] * 1000000 + time[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local function text(number) return string.format('%.0f', number) end
local function entry(name) return string.match(call('HGET', KEYS[4], name) or '', '^%S+ (%S+) (%S+)$') end

for _, late in ipairs(call('ZRANGEBYSCORE', KEYS[3], '-inf', text(now - ARGV[5] * 1000), 'LIMIT', 0, 1000)) do
  if call('ZREM', KEYS[2], late) == 1 then call('ZADD', KEYS[3], text(now + ARGV[6] * 1000), late)
  else call('HDEL', KEYS[4], late); call('ZREM', KEYS[3], late) end
end
local kept = per and math.max(per, tonumber(call('HGET', KEYS[4], 'per') or '0'))
local window = per and '(' .. text(now - per * 1000)
if per then call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - kept * 1000)) end
local used = per and call('ZCOUNT', KEYS[1], window, '+inf') or call('ZCARD', KEYS[1])
local granted, ahead, again = call('ZSCORE', KEYS[1], holder), 0, now
local _, turn = entry(holder)
if not granted then
  turn = turn or text(math.max(now, (call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2] or 0) + 1))
  ahead = call('ZCOUNT', KEYS[2], '-inf', '(' .. turn)
  if ahead < limit - used then
    granted, used = true, used + 1
    call('ZADD', KEYS[1], text(now), holder)
    call('ZREM', KEYS[2], holder)
    call('ZREM', KEYS[3], holder)
    if per then call('HDEL', KEYS[4], holder) end
  else
    again = now + math.min(ARGV[7] + ARGV[8] * ahead, ARGV[7] * 10) * 1000
    if per then
      -- `limit` go in each `per`, those ahead first: its turn comes when the start it takes the place of is over
      local place, start = ahead % limit - limit + used, now - per * 1000
      if place >= 0 then start = call('ZRANGEBYSCORE', KEYS[1], window, '+inf', 'WITHSCORES', 'LIMIT', place, 1)[2] end
      again = math.min(again, start + (math.floor(ahead / limit) + 1) * per * 1000)
    end
    call('ZADD', KEYS[2], turn, holder)
    call('ZADD', KEYS[3], text(again), holder)
  end
end
if not per or not granted then call('HSET', KEYS[4], holder, ARGV[4] .. ' ' .. ARGV[2] .. ' ' .. (turn or '0')) end
if per then call('HSET', KEYS[4], 'per', text(kept)); call('PEXPIRE', KEYS[1], text(kept)) end
local ttl = text((kept or 0) + DAY)
for key = 2, 4 do call('PEXPIRE', KEYS[key], ttl) end
if not per and call('EXISTS', KEYS[1]) == 1 then call('PERSIST', KEYS[4])
elseif call('EXISTS', KEYS[3]) == 0 then call('PEXPIRE', KEYS[4], text(kept)) end
local first = call('ZRANGE', KEYS[2], 0, 0)[1]
local uncalled = first and tonumber(entry(first) or 0) > used and tonumber(call('ZSCORE', KEYS[3], first)) > now
return { granted and 1 or 0, ahead, text(math.ceil(again / 1000)), uncalled and 1 or 0 }
