/* Sounds for tests that ask whether answers are the same, not whether they are right. */
#ifndef DV_TESTS_NOISES_H
#define DV_TESTS_NOISES_H

#include <stddef.h>
#include <stdint.h>

/* samples (sounds, count): noise of 0.1, each sound louder towards its end. The caller frees it. */
float *swelling_noises(size_t sounds, size_t count, uint64_t seed);

#endif
