#include "engine/ops/ref.h"

/* The first maximum of x (channels); a NaN wins. */
static int64_t place_of_max(const real *x, int64_t channels)
{
    int64_t place = 0;
    for (int64_t c = 1; c < channels; c++) {
        if (x[c] > x[place] || x[c] != x[c])
            place = c;
    }
    return place;
}

static dv_status forward(dv_step *s)
{
    const real *x = s->x[0];
    real *y = s->y;
    int64_t rows = dv_shape_rows(s->in[0]), channels = s->in[0].c;
    for (int64_t row = 0; row < rows; row++, x += channels) {
        double sum = 0;
        for (int64_t c = 0; c < channels; c++)
            sum += (double)x[c];
        y[2 * row] = (real)(sum / (double)channels);
        y[2 * row + 1] = x[place_of_max(x, channels)];
    }
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    const real *x = s->x[0], *dy = s->dy;
    real *dx = s->dx[0];
    int64_t rows = dv_shape_rows(s->in[0]), channels = s->in[0].c;
    for (int64_t row = 0; dx != NULL && row < rows; row++, x += channels, dx += channels) {
        int64_t place = place_of_max(x, channels);
        for (int64_t c = 0; c < channels; c++) {
            double of_mean = (double)dy[2 * row] / (double)channels;
            dx[c] = (real)(of_mean + (c == place ? (double)dy[2 * row + 1] : 0));
        }
    }
    return DV_OK;
}

const dv_impl DV_REF(channel_mean_max) = {.forward = forward, .backward = backward};
