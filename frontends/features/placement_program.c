/*
 * From audio to the window, as statements of a program: placement.c in pools, sorting and sums. A
 * statement on few numbers takes runtimes about a microsecond, so there are as few as possible.
 * Tensors are (batch, 1, samples or frames), as pools need them. The last function cuts the bands
 * of a window out of those of a clip.
 */
#include "frontends/features/features_internal.h"
#include "frontends/features/program.h"

#include <math.h>

enum { TIME = 2 }; /* the axis of samples and frames */

/* ---- Small steps ---- */

/* The mean of pieces of x. Optimisers merge padding before a pool into it, and runtimes accept only
   padding that is less than the kernel. */
static dv_value pool(dv_program *program, dv_value x, int64_t kernel, int64_t stride)
{
    dv_attributes attributes = {
        .window = {
            .axes = 1, .kernel = {kernel}, .stride = {stride}, .dilation = {1}, .groups = 1}};
    return dv_program_add(program, DV_OPERATOR_AveragePool, &x, 1, &attributes);
}

static dv_value sum(dv_program *program, dv_value x)
{
    return dv_program_reduce(program, DV_OPERATOR_ReduceSum, x, TIME, -1);
}

static dv_value square(dv_program *program, dv_value x)
{
    return dv_program_binary(program, DV_OPERATOR_Mul, x, x);
}

/* a < number, and number < a. */
static dv_value below(dv_program *program, dv_value a, double number)
{
    return dv_program_with(program, DV_OPERATOR_Less, a, number);
}

static dv_value above(dv_program *program, dv_value a, double number)
{
    return dv_program_binary(program, DV_OPERATOR_Less,
                             dv_program_scalar(program, DV_ELEMENT_F32, number), a);
}

static dv_value choose(dv_program *program, dv_value condition, dv_value yes, dv_value no)
{
    return dv_program_add(program, DV_OPERATOR_Where, (const dv_value[]){condition, yes, no}, 3,
                          NULL);
}

static dv_value number(dv_program *program, double value)
{
    return dv_program_scalar(program, DV_ELEMENT_F32, value);
}

/* ---- Level ---- */

/* The root of the mean power of pieces of 25 ms, each weighted with its own power. */
static dv_value loud_rms(dv_program *program, dv_value x, int64_t sample_rate)
{
    int64_t length = DV__ENVELOPE_LENGTH(sample_rate);
    dv_value powers = dv_program_pad(program, square(program, x), TIME, 0, length - 1);
    powers = pool(program, powers, length, length);
    dv_value squares = sum(program, square(program, powers));
    dv_value all = dv_program_with(program, DV_OPERATOR_Max, sum(program, powers), 1e-30);
    return dv_program_unary(program, DV_OPERATOR_Sqrt,
                            dv_program_binary(program, DV_OPERATOR_Div, squares, all));
}

/* A clip below DV__SILENCE keeps its level. The result of a division by 0 is not chosen. */
static dv_value at_level(const dv_features_config *config, dv_program *program, dv_value x)
{
    dv_value level;
    double target;
    dv_program_scope(program, "front_end/level");
    switch ((dv_level)config->level) {
    case DV_LEVEL_PEAK:
        level = dv_program_unary(program, DV_OPERATOR_Abs, x);
        level = dv_program_reduce(program, DV_OPERATOR_ReduceMax, level, TIME, -1);
        target = 1;
        break;
    case DV_LEVEL_RMS:
        level = loud_rms(program, x, config->sample_rate);
        target = DV__RMS_LEVEL;
        break;
    case DV_LEVEL_NONE:
    default:
        return x;
    }
    dv_value gain = dv_program_binary(program, DV_OPERATOR_Div, number(program, target), level);
    gain = choose(program, below(program, level, DV__SILENCE), number(program, 1), gain);
    return dv_program_binary(program, DV_OPERATOR_Mul, x, gain);
}

/* ---- The word ---- */

/* The envelope (batch, 1, frames) with facts about its frames. The program has a few more frames
   than placement.c. They lie behind the clip, and `within` tells them apart. */
typedef struct envelope {
    int64_t length, hop;
    dv_value count;  /* number of the clip's samples, FP32 without axes */
    dv_value last;   /* number of frames less one, FP32 without axes */
    dv_value number; /* number of each frame: 1, 2, ... */
    dv_value within; /* whether the frame belongs to the clip */
    dv_value values;
} envelope;

/* A mild high-pass, x[t] - x[t - 1] / 2. */
static dv_value high_passed(dv_program *program, dv_value x)
{
    dv_value before = dv_program_pad(program, x, TIME, 1, 0);
    before = dv_program_slice(program, before, TIME, 0, -1);
    before = dv_program_with(program, DV_OPERATOR_Mul, before, 0.5);
    return dv_program_binary(program, DV_OPERATOR_Sub, x, before);
}

/* max(count - length, 0) / hop, rounded up. */
static dv_value last_frame(dv_program *program, const envelope *in)
{
    double more = (double)(in->hop - 1);
    dv_value rest = dv_program_with(program, DV_OPERATOR_Add, in->count, more - (double)in->length);
    rest = dv_program_with(program, DV_OPERATOR_Max, rest, more);
    rest = dv_program_with(program, DV_OPERATOR_Div, rest, (double)in->hop);
    return dv_program_unary(program, DV_OPERATOR_Floor, rest);
}

/* The root of the power of frames. */
static void make_envelope(dv_program *program, dv_value x, int64_t sample_rate, envelope *out)
{
    dv_program_scope(program, "front_end/placement/envelope");
    *out = (envelope){.length = DV__ENVELOPE_LENGTH(sample_rate),
                      .hop = DV__ENVELOPE_HOP(sample_rate)};
    dv_value power = square(program, high_passed(program, x));
    power = dv_program_pad(program, power, TIME, 0, out->length - 1);
    power = pool(program, power, out->length, out->hop);
    out->values = dv_program_unary(program, DV_OPERATOR_Sqrt, power);
    out->count = dv_program_cast(program, dv_program_along(program, DV_OPERATOR_Size, x, TIME),
                                 DV_ELEMENT_F32);
    out->last = last_frame(program, out);

    dv_value ones = dv_program_with(program, DV_OPERATOR_Mul, power, 0);
    ones = dv_program_with(program, DV_OPERATOR_Add, ones, 1);
    out->number = dv_program_along(program, DV_OPERATOR_CumSum, ones, TIME);
    out->within = dv_program_binary(program, DV_OPERATOR_Less, out->number,
                                    dv_program_with(program, DV_OPERATOR_Add, out->last, 1.5));
}

/* The quantile `fraction` (without axes) of the values, linear between the two nearest. Each sorted
   value counts by 1 less its distance in places. */
static dv_value percentile(dv_program *program, const envelope *in, dv_value fraction)
{
    dv_value sorted = choose(program, in->within, in->values, number(program, 1e30));
    sorted = dv_program_along(program, DV_OPERATOR_Sort, sorted, TIME);
    dv_value place = dv_program_binary(program, DV_OPERATOR_Mul, in->last, fraction);
    place = dv_program_with(program, DV_OPERATOR_Add, place, 1);
    dv_value distance = dv_program_binary(program, DV_OPERATOR_Sub, in->number, place);
    distance = dv_program_unary(program, DV_OPERATOR_Abs, distance);
    dv_value share = dv_program_binary(program, DV_OPERATOR_Sub, number(program, 1), distance);
    share = dv_program_unary(program, DV_OPERATOR_Relu, share);
    return sum(program, dv_program_binary(program, DV_OPERATOR_Mul, sorted, share));
}

static void subtract_floor(dv_program *program, int64_t sample_rate, envelope *out)
{
    dv_program_scope(program, "front_end/placement/floor");
    const dv__noise_floor *of_short = dv__noise_floor_of(0), *of_long = dv__noise_floor_of(60);
    /* A limit half a sample above the last short count decides as exact seconds would. */
    double short_clip = floor(DV__LONG_CLIP * (double)sample_rate + 1e-6) + 0.5;
    dv_value is_long = above(program, out->count, short_clip);
    dv_value fraction = choose(program, is_long, number(program, of_long->fraction),
                               number(program, of_short->fraction));
    dv_value factor = choose(program, is_long, number(program, (double)of_long->factor),
                             number(program, (double)of_short->factor));
    dv_value level = percentile(program, out, fraction);
    level = dv_program_binary(program, DV_OPERATOR_Mul, level, factor);
    dv_value rest = dv_program_binary(program, DV_OPERATOR_Sub, out->values, level);
    rest = dv_program_unary(program, DV_OPERATOR_Relu, rest);
    out->values = choose(program, out->within, rest, number(program, 0));
}

/* The median of five neighbours. A convolution puts them beside each other. */
static dv_value smoothed(dv_program *program, dv_value x)
{
    enum { NEIGHBOURS = 5 };
    float shifts[NEIGHBOURS * NEIGHBOURS] = {0};
    dv_attributes attributes = {.window = {.axes = 1,
                                           .kernel = {NEIGHBOURS},
                                           .stride = {1},
                                           .padding = {NEIGHBOURS / 2},
                                           .dilation = {1},
                                           .groups = 1}};
    dv_program_scope(program, "front_end/placement/median");
    for (int i = 0; i < NEIGHBOURS; i++)
        shifts[i * NEIGHBOURS + i] = 1;
    int64_t sizes[] = {NEIGHBOURS, 1, NEIGHBOURS};
    dv_value inputs[] = {x, dv_program_table(program, "neighbours", sizes, 3, shifts)};
    x = dv_program_add(program, DV_OPERATOR_Conv, inputs, 2, &attributes);
    x = dv_program_along(program, DV_OPERATOR_Sort, x, 1);
    return dv_program_slice(program, x, 1, NEIGHBOURS / 2, NEIGHBOURS / 2 + 1);
}

/* Keeps the `frames` consecutive values of x with the largest sum, and clears the rest. The values
   to keep have a distance to their middle below half their number. */
static dv_value loudest(dv_program *program, const envelope *in, dv_value x, int64_t frames)
{
    dv_program_scope(program, "front_end/placement/loudest");
    dv_value sums = pool(program, dv_program_pad(program, x, TIME, frames - 1, 0), frames, 1);
    dv_value last = dv_program_along(program, DV_OPERATOR_ArgMax, sums, TIME);
    last = dv_program_cast(program, last, DV_ELEMENT_F32);
    dv_value distance = dv_program_binary(program, DV_OPERATOR_Sub, in->number, last);
    distance = dv_program_with(program, DV_OPERATOR_Add, distance, (double)(frames - 3) / 2);
    distance = dv_program_unary(program, DV_OPERATOR_Abs, distance);
    return choose(program, below(program, distance, (double)frames / 2), x, number(program, 0));
}

/* from + to + hop for each frame's part of the clip, which is twice its middle plus a hop. */
static dv_value ends_of(dv_program *program, const envelope *in)
{
    dv_value next = dv_program_with(program, DV_OPERATOR_Mul, in->number, (double)in->hop);
    dv_value to = dv_program_with(program, DV_OPERATOR_Add, next, (double)(in->length - in->hop));
    to = dv_program_binary(program, DV_OPERATOR_Min, to, in->count);
    return dv_program_binary(program, DV_OPERATOR_Add, next, to);
}

/*
 * The place around which the window is put, (batch, 1, 1), FP32; its whole part counts. It is the
 * centroid of the envelope after the median and the loudest stretch. If nothing is left it is the
 * centroid of the envelope itself, and if that is 0 too the middle of the clip. It is rounded to
 * nearest. Ties, which FP32 makes a little smaller or larger, are rounded up.
 */
static dv_value word_centre(const dv_frontend *frontend, dv_program *program, dv_value x)
{
    const double two_ties = 2.0 / 1024; /* samples */
    envelope in;
    int64_t rate = frontend->config.sample_rate;
    make_envelope(program, x, rate, &in);
    subtract_floor(program, rate, &in);
    int64_t frames = frontend->samples > in.hop ? frontend->samples / in.hop : 1;
    dv_value kept = loudest(program, &in, smoothed(program, in.values), frames);
    dv_program_scope(program, "front_end/placement/centre");
    kept = choose(program, above(program, sum(program, kept), 0), kept, in.values);
    dv_value weights = sum(program, kept);
    dv_value moments =
        sum(program, dv_program_binary(program, DV_OPERATOR_Mul, kept, ends_of(program, &in)));
    dv_value centre = dv_program_binary(program, DV_OPERATOR_Div, moments, weights);
    centre = dv_program_with(program, DV_OPERATOR_Add, centre, 1 + two_ties - (double)in.hop);
    centre = choose(program, above(program, weights, 0), centre, in.count);
    centre = dv_program_with(program, DV_OPERATOR_Mul, centre, 0.5);
    dv_value last = dv_program_with(program, DV_OPERATOR_Sub, in.count, 1);
    return dv_program_binary(program, DV_OPERATOR_Min, centre, last);
}

/* ---- The window ---- */

/* `size` samples or frames from the middle of x or from its start, with zeros beside them. */
static dv_value cut(dv_program *program, dv_placement placement, dv_value x, int64_t size)
{
    if (placement == DV_PLACE_START)
        return dv_program_slice(program, dv_program_pad(program, x, TIME, 0, size), TIME, 0, size);
    dv_value places = dv_program_with(program, DV_OPERATOR_Div,
                                      dv_program_along(program, DV_OPERATOR_Size, x, TIME), 2);
    places = dv_program_binary(program, DV_OPERATOR_Add, places, dv_program_range(program, size));
    x = dv_program_pad(program, x, TIME, size / 2, size - size / 2);
    return dv_program_add(program, DV_OPERATOR_Gather, (const dv_value[]){x, places}, 2,
                          &(dv_attributes){.axis = TIME});
}

/* `size` samples around the word. Places are added in FP32, which is faster, and truncated to
   integers. */
static dv_value cut_word(const dv_frontend *frontend, dv_program *program, dv_value x, int64_t size)
{
    dv_value centre = word_centre(frontend, program, x);
    dv_program_scope(program, "front_end/window");
    dv_value places = dv_program_cast(program, dv_program_range(program, size), DV_ELEMENT_F32);
    places = dv_program_binary(program, DV_OPERATOR_Add, places, centre);
    places = dv_program_cast(program, places, DV_ELEMENT_I64);
    x = dv_program_pad(program, x, TIME, size / 2, size - size / 2);
    return dv_program_add(program, DV_OPERATOR_GatherElements, (const dv_value[]){x, places}, 2,
                          &(dv_attributes){.axis = TIME});
}

/* In FP32 the subtraction of a large mean leaves enough that a constant clip has a level. So the
   mean of the rest is subtracted too. */
static dv_value without_mean(dv_program *program, dv_value x)
{
    for (int i = 0; i < 2; i++)
        x = dv_program_binary(program, DV_OPERATOR_Sub, x,
                              dv_program_reduce(program, DV_OPERATOR_ReduceMean, x, TIME, -1));
    return x;
}

dv_value dv_frontend_write_window(const dv_frontend *frontend, dv_program *program, dv_value audio)
{
    dv_placement placement = (dv_placement)frontend->config.placement;
    dv_program_scope(program, "front_end/dc");
    dv_value x = dv_program_along(program, DV_OPERATOR_Unsqueeze, audio, 1);
    x = at_level(&frontend->config, program, without_mean(program, x));
    if (placement == DV_PLACE_ENERGY)
        return cut_word(frontend, program, x, frontend->samples);
    dv_program_scope(program, "front_end/window");
    return cut(program, placement, x, frontend->samples);
}

dv_status dv_frontend_takes_log_mel(const dv_frontend *frontend)
{
    const dv_features_config *config = &frontend->config;
    if (config->type == DV_FEATURES_SPECTROGRAM)
        return DV_FAIL(DV_ECONFIG,
                       "features: type has to be fbank, mel or mfcc, not spectrogram, since there "
                       "are no mel bands in it");
    if (config->placement == DV_PLACE_ENERGY)
        return DV_FAIL(DV_ECONFIG,
                       "features: placement has to be middle or start, not energy, since the word "
                       "is found in samples, not in bands");
    if (config->level != DV_LEVEL_NONE)
        return DV_FAIL(DV_ECONFIG,
                       "features: level has to be none, since the level of a clip is set in its "
                       "samples, not in bands");
    return DV_OK;
}

/* For cutting, silence is 0 and a decibel above it is 1. */
dv_value dv_frontend_write_log_mel_window(const dv_frontend *frontend, dv_program *program,
                                          dv_value log_mel)
{
    dv_program_scope(program, "front_end/window");
    dv_value x = dv_program_with(program, DV_OPERATOR_Sub, log_mel, DV__SILENT_BAND);
    x = dv_program_unary(program, DV_OPERATOR_Relu, x);
    x = cut(program, (dv_placement)frontend->config.placement, x, frontend->frames);
    return dv_program_with(program, DV_OPERATOR_Add, x, DV__SILENT_BAND);
}
