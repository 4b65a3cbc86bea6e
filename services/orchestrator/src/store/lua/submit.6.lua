-- submit.6.lua: creates a run: its head (`queued`), its `start` command and its index entries, or nothing.
-- KEYS  1 run head   2 mailbox   3 run journal   4 run out   5 run snapshot   6 run blob index
-- ARGV  1 ns   2 run   3 tip   4 fingerprint   5 '1': restart an ended run   6 start command JSON
--       7 workflow ref JSON   8 workflow name   9 labels JSON   10 sha of the blob the input is in, or ''
--       11.. `key:value` of each label
-- Result {'created' | 'exists', head fields as HGETALL gives them}
-- Touches: head, mailbox, indexes all, status, workflow, label; a restart deletes journal, out, snapshot, blobs,
-- due and unsent of the run that was. `submitTip` stays in the head for good: a repeat is known by it.
local prefix = string.sub(KEYS[2], 1, -8)
local index = prefix .. 'idx:' .. ARGV[1] .. ':'
local run, full = ARGV[2], ARGV[1] .. '~' .. ARGV[2]

local function forget(labels, workflow, status)
  for key, value in pairs(cjson.decode(labels)) do redis.call('ZREM', index .. 'label:' .. key .. ':' .. value, run) end
  redis.call('ZREM', index .. 'workflow:' .. cjson.decode(workflow).name, run)
  redis.call('ZREM', index .. 'status:' .. status, run)
  redis.call('ZREM', prefix .. 'due', full)
  for _, message in ipairs(redis.call('ZRANGE', prefix .. 'unsent', 0, -1)) do
    if string.sub(message, 1, #full + 1) == full .. '|' then redis.call('ZREM', prefix .. 'unsent', message) end
  end
  local blob = string.sub(KEYS[6], 1, -6)
  for _, sha in ipairs(redis.call('SMEMBERS', KEYS[6])) do
    -- the new input's blob has been written already
    if sha ~= ARGV[10] then
      redis.call('UNLINK', blob .. sha)
      redis.call('SREM', KEYS[6], sha)
    end
  end
  redis.call('UNLINK', KEYS[1], KEYS[3], KEYS[4], KEYS[5])
end

local was = redis.call('HMGET', KEYS[1], 'status', 'submitTip', 'labels', 'workflow')
local status = was[1]
if status then
  if was[2] == ARGV[3] then return { 'created', redis.call('HGETALL', KEYS[1]) } end
  local ended = status == 'completed' or status == 'failed' or status == 'cancelled'
  if ARGV[5] ~= '1' or not ended then return { 'exists', redis.call('HGETALL', KEYS[1]) } end
  forget(was[3], was[4], status)
end
local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', time[2] / 1000)
redis.call('HSET', KEYS[1], 'status', 'queued', 'version', '0', 'tip', ARGV[3], 'submitTip', ARGV[3],
  'fingerprint', ARGV[4], 'workflow', ARGV[7], 'labels', ARGV[9], 'createdAtMs', now, 'snapshotSeq', '0')
redis.call('XADD', KEYS[2], '*', 'c', ARGV[6])
redis.call('ZADD', index .. 'all', now, run)
redis.call('ZADD', index .. 'status:queued', now, run)
redis.call('ZADD', index .. 'workflow:' .. ARGV[8], now, run)
for i = 11, #ARGV do redis.call('ZADD', index .. 'label:' .. ARGV[i], now, run) end
return { 'created', redis.call('HGETALL', KEYS[1]) }
