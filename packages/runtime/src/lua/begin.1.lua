-- begin.1.lua: records that a `once` task is about to act. Its loss is ambiguous from here on.
-- KEYS  1 run out
-- ARGV  1 path   2 attempt   3 delivery   4 token
-- Result 1: recorded (or was already), 0: the claim is no longer this token's, or it has reported
-- Touches: the step's field of out.
local field = redis.call('HGET', KEYS[1], ARGV[1])
if not field then return 0 end
local attempt, delivery, worker, at, token, _, reported =
  string.match(field, '^(%d+)|(%d+)|([^|]*)|(%d*)|([^|]*)|(%d?)|(%d?)$')
if attempt ~= ARGV[2] or delivery ~= ARGV[3] or token ~= ARGV[4] or reported == '1' then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], table.concat({ attempt, delivery, worker, at, token, '1', '' }, '|'))
return 1
