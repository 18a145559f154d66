-- Drops a season's generations below a number, or the one of a token.
-- KEYS[1]  the season's generations     ARGV  prefix, the number; the token, or ""
-- Returns how many were dropped.
local dropped = 0
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local generation = all[at]
  if tonumber(generation) < tonumber(ARGV[2]) or (ARGV[3] ~= '' and all[at + 1] == ARGV[3]) then
    local base = ARGV[1] .. generation
    for _, group in ipairs(redis.call('SMEMBERS', base .. ':groups')) do
      redis.call('UNLINK', base .. ':in:' .. group)
    end
    redis.call('UNLINK', base .. ':groups', base .. ':rows')
    redis.call('HDEL', KEYS[1], generation)
    dropped = dropped + 1
  end
end
return dropped
