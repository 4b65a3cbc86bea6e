-- circuit-count.1.lua: one call of a closed circuit has ended; is it time to open it for the whole fleet?
-- KEYS  1 calls: hash `<bucket>|` -> calls, `<bucket>|<label>` -> those of them that failed so; one for each epoch
-- ARGV  1 how it failed, '' for one that did not   2 window ms   3 volume   4 error percent
-- Result what has failed in the window (`529 ×4, timeout ×1`) when its share is above the percentage, with at least
--        volume calls; else ''
-- Touches: calls, which is gone after two windows without a call.
local key, label, windowMs = KEYS[1], ARGV[1], tonumber(ARGV[2])
local BUCKETS, MOST_LABELS = 10, 4
local time = redis.call('TIME')
local bucket = math.floor((time[1] * 1000 + time[2] / 1000) / (windowMs / BUCKETS))

local isNew = redis.call('HINCRBY', key, bucket .. '|', 1) == 1
if label ~= '' then redis.call('HINCRBY', key, bucket .. '|' .. label, 1) end
redis.call('PEXPIRE', key, windowMs * 2)
-- all that is good costs no more; but what has left the window must go some time
if label == '' and not isNew then return '' end

local calls, failed, counts, flat = 0, 0, {}, redis.call('HGETALL', key)
for i = 1, #flat, 2 do
  local at, how = flat[i]:match('^(%d+)|(.*)$')
  local count = tonumber(flat[i + 1])
  if tonumber(at) <= bucket - BUCKETS then
    redis.call('HDEL', key, flat[i])
  elseif how == '' then
    calls = calls + count
  else
    failed = failed + count
    counts[how] = (counts[how] or 0) + count
  end
end
if label == '' or calls < tonumber(ARGV[3]) or failed * 100 <= calls * tonumber(ARGV[4]) then return '' end

local labels = {}
for how in pairs(counts) do labels[#labels + 1] = how end
table.sort(labels, function(a, b) return counts[a] > counts[b] or (counts[a] == counts[b] and a < b) end)
for i, how in ipairs(labels) do labels[i] = how .. ' ×' .. counts[how] end
return table.concat(labels, ', ', 1, math.min(#labels, MOST_LABELS))
