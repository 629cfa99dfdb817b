#include "frontends/augment.h"

/* clang-format off */
const dv_field dv_augment_fields[] = {
    DV_FLOAT(dv_augment_config, shift, "0.1", 0, 10, "largest random shift in time, s, either way"),
    DV_FLOAT(dv_augment_config, gain, "6", 0, 60, "largest random change of level, dB, either way"),
    DV_END,
};
/* clang-format on */

int64_t dv_augment_max_shift(const dv_augment_config *config, int64_t sample_rate)
{
    return (int64_t)(config->shift * (double)sample_rate + 0.5);
}

float dv_augment_max_gain(const dv_augment_config *config)
{
    static const double decibels_of_two = 6.020599913279624; /* 20 log10 2 */
    return (float)(config->gain / decibels_of_two);
}

void dv_augment_draw(const dv_augment_config *config, const dv_rng *rng, uint32_t place_in_batch,
                     int64_t sample_rate, int64_t *shift, float *gain)
{
    DV_ASSERT(place_in_batch < DV_AUGMENT_PLACES);
    uint32_t words[4];
    dv_rng_words(rng, place_in_batch, words);
    *shift = dv_augment_shift(words[0], dv_augment_max_shift(config, sample_rate));
    *gain = dv_augment_gain(words[1], dv_augment_max_gain(config));
}
