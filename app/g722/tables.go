package g722

// decisions6 are the upper ends of the levels of the lower band but the last (Q6).
var decisions6 = [29]int32{
	35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
	786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
}

// inverse6 are the differences that six bits stand for, in 2⁻¹⁵ of a step (QM6).
var inverse6 = [64]int32{
	-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
	-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
	24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
	4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
}

// inverse4 are the differences that the upper four of six bits stand for (QM4).
var inverse4 = [16]int32{
	0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
}

// inverse2 are the differences that two bits stand for (QM2).
var inverse2 = [4]int32{-7408, -1616, 7408, 1616}

// steps4 are how far the step of the lower band moves for each four bits (WL by RL42).
var steps4 = [16]int32{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}

// steps2 are the same of the upper band for each two bits (WH by RH2).
var steps2 = [4]int32{798, -214, 798, -214}

// powers are 2048 · 2^(i/32), rounded (ILB).
var powers = [32]int32{
	2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
	2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
}
