-- report.6.lua: an outcome enters the mailbox, out is marked, the claim goes: all or nothing.
-- KEYS  1 run out   2 mailbox   3 claims of the worker   4 run journal   5 run head   6 receipt of the command
-- ARGV  1 path   2 attempt   3 delivery   4 token   5 task id   6 command JSON
--       7 `"command":"<id>"` as journal entries hold it   8 claimedAtMs of the outcome
-- Result 'reported' | 'repeat' | 'late'
-- Touches: the step's field of out, mailbox, claims; for a late one the receipt key, as a mark for 24 h.
local field = redis.call('HGET', KEYS[1], ARGV[1])
if field then
  local attempt, delivery, worker, at, token, begun, reported =
    string.match(field, '^(%d+)|(%d+)|([^|]*)|(%d*)|([^|]*)|(%d?)|(%d?)$')
  if attempt == ARGV[2] and delivery == ARGV[3] and token == ARGV[4] then
    if reported == '1' then return 'repeat' end
    redis.call('HSET', KEYS[1], ARGV[1], table.concat({ attempt, delivery, worker, at, token, begun, '1' }, '|'))
    redis.call('SREM', KEYS[3], ARGV[5])
    redis.call('XADD', KEYS[2], '*', 'c', ARGV[6])
    return 'reported'
  end
end
-- Late. A claim from before the run was created belongs to a run that `restart` has deleted: nothing to account for.
local created = redis.call('HGET', KEYS[5], 'createdAtMs')
if created and tonumber(ARGV[8]) < tonumber(created) then return 'late' end
-- Or it is a re-sent command whose first copy was served meanwhile: then the journal's end names it.
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 200)) do
  if string.find(entry[2][2], ARGV[7], 1, true) then return 'repeat' end
end
if not redis.call('SET', KEYS[6], '', 'NX', 'EX', 86400) then return 'repeat' end
redis.call('XADD', KEYS[2], '*', 'c', ARGV[6])
return 'late'
