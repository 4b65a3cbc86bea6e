-- discard.3.lua: acknowledges entries of runs that do not exist. A caller that waits is told so.
-- KEYS  1 owner   2 mailbox   3 trials
-- ARGV  1 engine   2 epoch   3 verdict JSON   4.. entry ids
-- Result 1 | 0: the shard is not this engine's
-- Touches: mailbox, trials, receipts of discarded commands that asked one.
local owner = redis.call('HMGET', KEYS[1], 'engine', 'epoch')
if owner[1] ~= ARGV[1] or owner[2] ~= ARGV[2] then return 0 end
local prefix = string.sub(KEYS[1], 1, -6)
for i = 4, #ARGV do
  local entry = redis.call('XRANGE', KEYS[2], ARGV[i], ARGV[i])[1]
  -- pcall: cjson refuses what is nested deeper than 1,000, and the entry must go all the same
  local read, command = pcall(cjson.decode, entry and entry[2][2] or '{}')
  if read and command.receipt == true then
    local id = command.ns .. '~' .. command.run .. '/' .. command.id
    redis.call('SET', prefix .. 'receipt:' .. id, ARGV[3], 'EX', 86400)
  end
  redis.call('XDEL', KEYS[2], ARGV[i])
  redis.call('HDEL', KEYS[3], ARGV[i])
end
return 1
