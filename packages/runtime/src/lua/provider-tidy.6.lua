-- provider-tidy.6.lua: what those left behind who are late or dead. Goes before each provider-acquire.7.lua.
-- KEYS  1 state   2 tickets   3 returns   4 permits   5 places   6 places of the provider, as there
-- ARGV  1 late   2 forgotten, us   3 task   4 token   5 its name among the places of the provider
--       6 input   7 output tokens
-- Result how many tickets are newly away
-- Touches: all KEYS. A ticket that goes away counts as served, so nobody is told to wait for it any more; it keeps its
-- marks. One that stays away is deleted. At most 1000 at a time; the rest next time. A task that holds a permit under
-- another token lost its worker: that call's place is free, and the task, which had its turn, goes first.
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end

for _, gone in ipairs(call('ZRANGEBYSCORE', KEYS[5], '-inf', text(now), 'LIMIT', 0, 1000)) do
  call('ZREM', KEYS[5], gone)
  call('HDEL', KEYS[4], gone)
end
call('ZREMRANGEBYSCORE', KEYS[6], '-inf', text(now))

local away = 0
for _, late in ipairs(call('ZRANGEBYSCORE', KEYS[3], '-inf', text(now - ARGV[1]), 'LIMIT', 0, 1000)) do
  local ticket = call('HGET', KEYS[2], late)
  if string.sub(ticket, -1) == '1' then
    call('HDEL', KEYS[2], late)
    call('ZREM', KEYS[3], late)
  else
    for d, work in ipairs({ string.match(ticket, '^%d+ %d+ %d+ (%d+) (%d+) (%d+)') }) do
      call('HINCRBY', KEYS[1], 'served' .. d, work)
    end
    call('HSET', KEYS[2], late, string.sub(ticket, 1, -2) .. '1')
    call('ZADD', KEYS[3], text(now + ARGV[2]), late)
    away = away + 1
  end
end

local held = string.match(call('HGET', KEYS[4], ARGV[3]) or '', '^%S+')
if held and held ~= ARGV[4] then
  local ticket = { '', '', '', 1, ARGV[6], ARGV[7], text(now), 0 }
  for d = 1, 3 do
    ticket[d] = call('HGET', KEYS[1], 'served' .. d) or '0'
    call('HINCRBY', KEYS[1], 'queued' .. d, ticket[3 + d])
  end
  call('HSET', KEYS[2], ARGV[3], table.concat(ticket, ' '))
  call('ZADD', KEYS[3], text(now), ARGV[3])
  call('HDEL', KEYS[4], ARGV[3])
  call('ZREM', KEYS[5], ARGV[3])
  call('ZREM', KEYS[6], ARGV[5])
end
return away
