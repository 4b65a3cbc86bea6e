-- append.8.lua: a run's new facts and all that is derived from them, or nothing. The only write of a journal.
-- KEYS  1 owner   2 run head   3 run journal   4 run out   5 due   6 unsent   7 mailbox   8 trials
-- ARGV  1 engine   2 epoch   3 expected version   4 expected tip   5 new tip   6 ns   7 run   8 status
--       9 endedAtMs or ''   10 wake: ms, '-' none, '' leave   11..15 how many events, out sets, out removals,
--       unsent, acks; then these, and receipts: event JSON · path, field · path · message · entry id · command id, verdict
-- Result 'appended' | 'repeat' | 'conflict' | 'deposed'
-- Touches: all KEYS but owner; claims of the workers whose fields go; index status; receipts (24 h).
-- The mailbox has no consumer group: what is in the stream is unserved, and the XDEL here is its acknowledgement.
local call = redis.call
local owner = call('HMGET', KEYS[1], 'engine', 'epoch')
if owner[1] ~= ARGV[1] or owner[2] ~= ARGV[2] then return 'deposed' end
local head = call('HMGET', KEYS[2], 'version', 'tip', 'status', 'createdAtMs')
local events = tonumber(ARGV[11])
if events > 0 and head[2] == ARGV[5] then return 'repeat' end
if head[1] ~= ARGV[3] or head[2] ~= ARGV[4] then return 'conflict' end
local prefix, run, status = string.sub(KEYS[1], 1, -6), ARGV[6] .. '~' .. ARGV[7], ARGV[8]
local at = 16

-- answers where the next section starts; in pieces, since unpack has room for about 8,000 values
local function many(command, key, count)
  local last = at + count - 1
  for first = at, last, 1000 do call(command, key, unpack(ARGV, first, math.min(first + 999, last))) end
  return last + 1
end
-- a claim that no outcome has ended goes with its field
local function unclaim(path, field)
  local attempt, delivery, worker = string.match(field or '', '^(%d+)|(%d+)|([^|]+)|[^|]*|[^|]*|[^|]*|$')
  if worker then call('SREM', prefix .. 'claims:' .. worker, table.concat({ run, path, attempt, delivery }, '.')) end
end

for i = 1, events do call('XADD', KEYS[3], (ARGV[3] + i) .. '-0', 'e', ARGV[15 + i]) end
if events > 0 then call('HSET', KEYS[2], 'version', ARGV[3] + events, 'tip', ARGV[5]) end
at = at + events
if status ~= head[3] then
  local index = prefix .. 'idx:' .. ARGV[6] .. ':status:'
  call('HSET', KEYS[2], 'status', status)
  call('ZREM', index .. head[3], ARGV[7])
  call('ZADD', index .. status, head[4], ARGV[7])
end
local sets, removals, unsent = ARGV[12] * 2, tonumber(ARGV[13]), tonumber(ARGV[14])
for i = at, at + sets - 1, 2 do unclaim(ARGV[i], call('HGET', KEYS[4], ARGV[i])) end
at = many('HSET', KEYS[4], sets)
for i = at, at + removals - 1 do unclaim(ARGV[i], call('HGET', KEYS[4], ARGV[i])) end
at = many('HDEL', KEYS[4], removals)
if ARGV[9] ~= '' then
  local out = call('HGETALL', KEYS[4])
  for i = 1, #out, 2 do unclaim(out[i], out[i + 1]) end
  call('DEL', KEYS[4])
  call('HSET', KEYS[2], 'endedAtMs', ARGV[9])
end
if ARGV[10] == '-' then call('ZREM', KEYS[5], run) elseif ARGV[10] ~= '' then call('ZADD', KEYS[5], ARGV[10], run) end
local time = unsent > 0 and call('TIME')
for i = at, at + unsent - 1 do
  call('ZADD', KEYS[6], time[1] .. string.format('%03d', time[2] / 1000), run .. '|' .. ARGV[i])
end
at = at + unsent
many('XDEL', KEYS[7], ARGV[15])
at = many('HDEL', KEYS[8], ARGV[15])
for i = at, #ARGV, 2 do call('SET', prefix .. 'receipt:' .. run .. '/' .. ARGV[i], ARGV[i + 1], 'EX', 86400) end
return 'appended'
