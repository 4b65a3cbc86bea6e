-- provider-slot.7.lua: the first half of provider-acquire.7.lua: who asks, and when its turn is. Writes nothing.
-- KEYS  1 state: hash tat1..3 (meters of requests, input, output), queued1..3 and served1..3 (work of the tickets that
--         were handed out, and of those that are done), until, why (pause), mean (length of a call), limits
--       2 tickets: hash task -> `<mark>x3 <work>x3 <slot> <1: away>`   3 returns: zset task -> when it is expected
--       4 permits: hash task -> `<token> <granted at>`   5 places: zset task -> end of its lease
--       6 places of the provider: zset `<model> <task>` -> the same   7 used: hash `<minute>:1..3`
-- ARGV  1 task   2 token   3 its name among the places of the provider   4 input   5 output tokens
--       6..8 requests, input, output per minute   9, 10 calls at a time of model, provider; 0: no limit
--       11 burst of requests   12 of tokens   13 late   14 near   15 far   16 lease   17 place
--       18 wave start, per minute   19 double   20 span
-- Result {1, granted at} for a repeat (same token); else none: the second half goes on with what is local here
-- Times are microseconds.
local call, max, min, MINUTE = redis.call, math.max, math.min, 60000000
local time, arg, state, ticket = call('TIME'), {}, {}, {}
local now, task = time[1] * 1000000 + time[2], ARGV[1]
local token, at = string.match(call('HGET', KEYS[4], task) or '', '^(%S+) (%S+)$')
if token == ARGV[2] then return { 1, at } end

for i = 4, 20 do arg[i] = tonumber(ARGV[i]) end
for i, value in ipairs(call('HMGET', KEYS[1], 'tat1', 'tat2', 'tat3', 'queued1', 'queued2', 'queued3', 'served1',
  'served2', 'served3', 'until', 'mean')) do state[i] = tonumber(value or 0) end
for part in string.gmatch(call('HGET', KEYS[2], task) or '', '%S+') do ticket[#ticket + 1] = tonumber(part) end
local known, work, rate, cost = #ticket > 0, { 1, arg[4], arg[5] }, { arg[6], arg[7], arg[8] }, { 0, 0, 0 }
if not known then ticket = { state[4], state[5], state[6], 1, arg[4], arg[5], 0, 0 } end

local open, ahead = state[10], max(0, ticket[1] - state[7])
local from = max(now, open)
local slot, fits, first, reason = from, from <= now, true, ''
local function later(when, why) if when > slot then slot, reason = when, why end end

local waves = rate[1] == 0 and open > 0 and now < open + arg[20]
if waves then
  -- the rate grows as start * 2^(t / double); the sum of it up to t is solved for those ahead
  local grown, each = 2 ^ (max(0, now - open) / arg[19]), MINUTE / arg[18]
  rate[1] = arg[18] * grown
  later(open + arg[19] * math.log(grown + ahead * each * math.log(2) / arg[19]) / math.log(2), 'recovering')
end
for d, why in ipairs({ waves and 'recovering' or 'requests', 'input_tokens', 'output_tokens' }) do
  if rate[d] > 0 then
    cost[d] = math.ceil(work[d] * MINUTE / rate[d])
    local before = waves and d == 1 and 0 or max(0, ticket[d] - state[6 + d]) * MINUTE / rate[d]
    fits = fits and state[d] - max(0, arg[d == 1 and 11 or 12] - cost[d]) <= now and before <= arg[13]
    first = first and ahead == 0
    later(max(state[d], from) + before, why)
  end
end
for i, why in ipairs({ 'concurrency', 'provider_concurrency' }) do
  local limit = arg[8 + i]
  local room = limit - call('ZCARD', KEYS[4 + i])
  if limit > 0 and ahead >= room then
    -- places become free every `each`; the next in line looks more often than that
    local each = (state[11] > 0 and state[11] or 5000000) / limit
    fits, first = fits and room > 0, false
    later(from + min(each, arg[17]) + each * (ahead - max(0, room)), why)
  end
end
