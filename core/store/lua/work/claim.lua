-- Lease the next items of a lane (lib/claim.lua), at most so many, within its limits.
--- args: now, lane, token, how, at_once:number?, rate:number?, many:number
--- uses: claim
return take_several(many, lane, token, how, at_once, rate)
