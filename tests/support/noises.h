/* Sounds for tests that compare answers, and do not ask whether they are right. */
#ifndef DV_TESTS_NOISES_H
#define DV_TESTS_NOISES_H

#include <stddef.h>
#include <stdint.h>

/* Samples (sounds, count) of normal noise, whose deviation rises from 0 to 0.1 in each sound. The
   caller frees them. */
float *swelling_noises(size_t sounds, size_t count, uint64_t seed);

#endif
