-- snapshot.2.lua: keeps a fold. Never an older one over a newer, never one of facts the journal does not have.
-- KEYS  1 run head   2 run snapshot: `<seq> <text>`
-- ARGV  1 seq   2 text
-- Result 1: kept, 0: not
-- Touches: snapshot, snapshotSeq of the head.
local head = redis.call('HMGET', KEYS[1], 'version', 'snapshotSeq')
local seq = tonumber(ARGV[1])
if not head[1] or seq > tonumber(head[1]) or seq < tonumber(head[2]) then return 0 end
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[2])
redis.call('HSET', KEYS[1], 'snapshotSeq', ARGV[1])
return 1
