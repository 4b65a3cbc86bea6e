-- ripen.3.lua: moves ripe runs from due into the mailbox as wake commands, behind what already waits there.
-- KEYS  1 owner   2 due   3 mailbox
-- ARGV  1 engine   2 epoch   3 most to move   4 JSON of the actor
-- Result {moved, next due ms or ''}; {0, ''} also when the shard is not this engine's
-- Touches: due, mailbox. Ids of namespaces and runs need no JSON escapes.
local owner = redis.call('HMGET', KEYS[1], 'engine', 'epoch')
if owner[1] ~= ARGV[1] or owner[2] ~= ARGV[2] then return { 0, '' } end
local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', time[2] / 1000)
local ripe = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #ripe, 2 do
  local ns, run = string.match(ripe[i], '^([^~]+)~(.+)$')
  redis.call('XADD', KEYS[3], '*', 'c', '{"type":"wake","id":"wake/' .. run .. '/' .. ripe[i + 1]
    .. '","ns":"' .. ns .. '","run":"' .. run .. '","by":' .. ARGV[4] .. '}')
  redis.call('ZREM', KEYS[2], ripe[i])
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
return { #ripe / 2, first[2] or '' }
