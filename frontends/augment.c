#include "frontends/augment.h"

/* clang-format off */
const dv_field dv_augment_fields[] = {
    DV_FLOAT(dv_augment_config, shift, "0.1", 0, 10, "largest random shift in time, s, either way"),
    DV_FLOAT(dv_augment_config, gain, "6", 0, 60, "largest random change of level, dB, either way"),
    DV_END,
};
/* clang-format on */

void dv_augment_draw(const dv_augment_config *config, const dv_rng *rng, uint32_t place_in_batch,
                     int64_t sample_rate, int64_t *shift, float *gain)
{
    static const double decibels_of_two = 6.020599913279624; /* 20 log10 2 */
    DV_ASSERT(place_in_batch < DV_AUGMENT_PLACES);
    uint32_t words[4];
    dv_rng_words(rng, place_in_batch, words);
    *shift = dv_augment_shift(words[0], (int64_t)(config->shift * (double)sample_rate + 0.5));
    *gain = dv_augment_gain(words[1], (float)(config->gain / decibels_of_two));
}
