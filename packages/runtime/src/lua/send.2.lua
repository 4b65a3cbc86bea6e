-- send.2.lua: a command enters the mailbox of its run's shard.
-- KEYS  1 mailbox   2 receipt of the command
-- ARGV  1 command JSON   2 '1' when the sender waits for a receipt
-- Result 1: it is in the mailbox, 0: a command of this id was sent in the last 24 h, nothing was added
-- Touches: mailbox, receipt. An empty receipt means sent and not yet judged; it makes a re-sent command, or a
-- caller's retry with the same id, a repeat. Commands that ask no receipt are such that a second one does no harm.
if ARGV[2] == '1' and not redis.call('SET', KEYS[2], '', 'NX', 'EX', 86400) then return 0 end
redis.call('XADD', KEYS[1], '*', 'c', ARGV[1])
return 1
