-- Reads a partner's place in every group that it stands in.
-- KEYS[1]  the season's generations     KEYS[2]  the generation's rows     ARGV  prefix, generation, partner id
-- Returns nil where the generation is not there, else the member and of each group its name, score, index, how many
-- are strictly better, and its size.
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then return false end
local row = redis.call('HGET', KEYS[2], ARGV[3])
if not row then return {} end
local member, groups = string.match(row, '^%d+ (%x+) (.*)$')
if not member then return {} end
local found = {member}
for group in string.gmatch(groups .. '\31', '(.-)\31') do
  local ranking = ARGV[1] .. ARGV[2] .. ':in:' .. group
  local score = redis.call('ZSCORE', ranking, member)
  if score then
    local better = redis.call('ZCOUNT', ranking, '-inf', '(' .. score)
    found[#found + 1] = {group, score, redis.call('ZRANK', ranking, member), better, redis.call('ZCARD', ranking)}
  end
end
return found
