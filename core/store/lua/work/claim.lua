-- Lease the next items of a lane (lib/claim.lua), at most so many, within its limits.
--- args: now, lane, token, how, many:number
--- args: at_once:number?, rate:number?, per_day:number?, day_over:number?
--- uses: claim
return take_several(many, lane, token, how, {at_once = at_once, rate = rate, per_day = per_day, day_over = day_over})
