-- claim.3.lua: a worker takes a task. Granted only for what is out now, unclaimed, or claimed under the same token.
-- KEYS  1 run out   2 claims of the worker   3 claimants
-- ARGV  1 path   2 attempt   3 delivery   4 worker   5 token   6 task id
-- Result {'granted', claimedAtMs} | {'refused', 'not_out' | 'superseded' | 'held' | 'reported'}
-- Touches: the step's field of out, the two sets. A repeat (same token) changes nothing.
-- Must stay true: a task is in a claims set exactly while its field of out names that worker and is not reported.
local field = redis.call('HGET', KEYS[1], ARGV[1])
if not field then return { 'refused', 'not_out' } end
local attempt, delivery, worker, at, token, _, reported =
  string.match(field, '^(%d+)|(%d+)|([^|]*)|(%d*)|([^|]*)|(%d?)|(%d?)$')
if attempt ~= ARGV[2] or delivery ~= ARGV[3] then return { 'refused', 'superseded' } end
if reported == '1' then return { 'refused', 'reported' } end
if worker ~= '' then
  if token == ARGV[5] then return { 'granted', at } end
  return { 'refused', 'held' }
end
local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], table.concat({ attempt, delivery, ARGV[4], now, ARGV[5], '', '' }, '|'))
redis.call('SADD', KEYS[2], ARGV[6])
redis.call('SADD', KEYS[3], ARGV[4])
return { 'granted', now }
