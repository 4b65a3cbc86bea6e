-- bury.4.lua: moves an entry that nobody can serve to the dead stream. A caller that waits is told so.
-- KEYS  1 mailbox   2 dead   3 trials   4 receipt of the command
-- ARGV  1 entry id   2 why   3 verdict JSON, '' when no receipt was asked
-- Result 1: moved, 0: it is not in the mailbox (a repeat, or served)
-- Touches: all KEYS. A dead entry has fields c: the command as it was, id: its mailbox id, why.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return 0 end
redis.call('XADD', KEYS[2], '*', 'c', entry[2][2], 'id', ARGV[1], 'why', ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
if ARGV[3] ~= '' then redis.call('SET', KEYS[4], ARGV[3], 'EX', 86400) end
return 1
