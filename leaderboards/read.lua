-- Reads neighbouring rows of one group, in one moment.
-- KEYS[1]  the season's generations     KEYS[2]  the generation's rows     KEYS[3]  the group's sorted set
-- ARGV     generation; then start and count, or a partner id and a span with "around" before them
-- Returns nil where the generation is not there, else size, start, rank of the first row, and member and score of each.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return false end
local size = redis.call('ZCARD', KEYS[3])
local start, stop
if ARGV[2] == 'around' then
  local row = redis.call('HGET', KEYS[2], ARGV[3])
  local member = row and string.match(row, '^%d+ (%x+) ')
  local at = member and redis.call('ZRANK', KEYS[3], member)
  if not at then return {size, 0, 0, {}} end
  start, stop = math.max(0, at - tonumber(ARGV[4])), at + tonumber(ARGV[4])
else
  start = tonumber(ARGV[2])
  stop = start + tonumber(ARGV[3]) - 1
  if stop < start then return {size, start, 0, {}} end
end
local page = redis.call('ZRANGE', KEYS[3], start, stop, 'WITHSCORES')
local rank = 0
if #page > 0 then rank = redis.call('ZCOUNT', KEYS[3], '-inf', '(' .. page[2]) + 1 end
return {size, start, rank, page}
