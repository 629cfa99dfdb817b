/* Audio to window, as statements of a program: placement.c, in products, pools and sorting. And the
   bands of a clip to those of a window. */
#include "frontends/features/features_internal.h"
#include "frontends/features/program.h"

/* ---- Small steps ---- */

/* The mean of pieces of x (batch, length) -> (batch, pieces). */
static dv_value pool(dv_program *program, dv_value x, int64_t kernel, int64_t stride)
{
    dv_attributes attributes = {
        .window = {
            .axes = 1, .kernel = {kernel}, .stride = {stride}, .dilation = {1}, .groups = 1}};
    x = dv_program_along(program, DV_OPERATOR_Unsqueeze, x, 1);
    x = dv_program_add(program, DV_OPERATOR_AveragePool, &x, 1, &attributes);
    return dv_program_along(program, DV_OPERATOR_Squeeze, x, 1);
}

static dv_value sum(dv_program *program, dv_value x)
{
    return dv_program_reduce(program, DV_OPERATOR_ReduceSum, x, 1, -1);
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

/* a / b, where b is not below a tiny number. */
static dv_value ratio(dv_program *program, dv_value a, dv_value b)
{
    return dv_program_binary(program, DV_OPERATOR_Div, a,
                             dv_program_with(program, DV_OPERATOR_Max, b, 1e-30));
}

/* ---- Level ---- */

/* The root of the power of pieces of 25 ms, averaged with that power as weight. */
static dv_value loud_rms(dv_program *program, dv_value x, int64_t sample_rate)
{
    int64_t length = DV__ENVELOPE_LENGTH(sample_rate);
    dv_value powers = dv_program_pad(program, square(program, x), 1, 0, length - 1);
    powers = pool(program, powers, length, length);
    dv_value squares = sum(program, square(program, powers));
    return dv_program_unary(program, DV_OPERATOR_Sqrt,
                            ratio(program, squares, sum(program, powers)));
}

static dv_value at_level(const dv_features_config *config, dv_program *program, dv_value x)
{
    dv_value level;
    double target;
    dv_program_scope(program, "front_end/level");
    switch ((dv_level)config->level) {
    case DV_LEVEL_PEAK:
        level = dv_program_unary(program, DV_OPERATOR_Abs, x);
        level = dv_program_reduce(program, DV_OPERATOR_ReduceMax, level, 1, -1);
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
    dv_value gain = ratio(program, number(program, target), level);
    gain = choose(program, below(program, level, DV__SILENCE), number(program, 1), gain);
    return dv_program_binary(program, DV_OPERATOR_Mul, x, gain);
}

/* ---- The word ---- */

/* The envelope, (batch, frames), and what is known of its frames. The program has a few frames more
   than placement.c, which lie behind the clip and are told by `within`. */
typedef struct envelope {
    int64_t length, hop;
    dv_value count;  /* of the clip's samples, FP32 without axes */
    dv_value last;   /* number of the last frame, likewise */
    dv_value index;  /* (batch, frames): 0, 1, ... */
    dv_value within; /* (batch, frames): the frame is of the clip */
    dv_value values;
} envelope;

/* x[t] - x[t - 1] / 2: a mild high-pass. */
static dv_value high_passed(dv_program *program, dv_value x)
{
    dv_value before = dv_program_pad(program, x, 1, 1, 0);
    before = dv_program_slice(program, before, 1, 0, -1);
    before = dv_program_with(program, DV_OPERATOR_Mul, before, 0.5);
    return dv_program_binary(program, DV_OPERATOR_Sub, x, before);
}

/* The root of the power of frames. */
static void make_envelope(dv_program *program, dv_value x, int64_t sample_rate, envelope *out)
{
    dv_program_scope(program, "front_end/placement/envelope");
    *out = (envelope){.length = DV__ENVELOPE_LENGTH(sample_rate),
                      .hop = DV__ENVELOPE_HOP(sample_rate)};
    dv_value power = square(program, high_passed(program, x));
    power = pool(program, dv_program_pad(program, power, 1, 0, out->length), out->length, out->hop);
    out->values = dv_program_unary(program, DV_OPERATOR_Sqrt, power);

    out->count =
        dv_program_cast(program, dv_program_along(program, DV_OPERATOR_Size, x, 1), DV_ELEMENT_F32);
    dv_value rest = dv_program_with(program, DV_OPERATOR_Sub, out->count, (double)out->length);
    rest = dv_program_with(program, DV_OPERATOR_Max, rest, 0);
    rest = dv_program_with(program, DV_OPERATOR_Add, rest, (double)(out->hop - 1));
    rest = dv_program_with(program, DV_OPERATOR_Div, rest, (double)out->hop);
    out->last = dv_program_unary(program, DV_OPERATOR_Floor, rest);

    dv_value ones = dv_program_with(program, DV_OPERATOR_Mul, power, 0);
    ones = dv_program_with(program, DV_OPERATOR_Add, ones, 1);
    dv_value numbers = dv_program_along(program, DV_OPERATOR_CumSum, ones, 1);
    out->index = dv_program_with(program, DV_OPERATOR_Sub, numbers, 1);
    out->within = dv_program_binary(program, DV_OPERATOR_Less, out->index,
                                    dv_program_with(program, DV_OPERATOR_Add, out->last, 0.5));
}

/* The value at `place` (FP32 without axes) of sorted (batch, frames) -> (batch, 1). */
static dv_value pick(dv_program *program, dv_value sorted, dv_value place)
{
    dv_value index = dv_program_cast(program, place, DV_ELEMENT_I64);
    index = dv_program_along(program, DV_OPERATOR_Unsqueeze, index, 0);
    return dv_program_add(program, DV_OPERATOR_Gather, (const dv_value[]){sorted, index}, 2,
                          &(dv_attributes){.axis = 1});
}

/* `fraction` (without axes) of the way through the values in order, linear between two. */
static dv_value percentile(dv_program *program, const envelope *in, dv_value fraction)
{
    dv_value sorted = choose(program, in->within, in->values, number(program, 1e30));
    sorted = dv_program_along(program, DV_OPERATOR_Sort, sorted, 1);
    dv_value place = dv_program_binary(program, DV_OPERATOR_Mul, in->last, fraction);
    dv_value lower = dv_program_unary(program, DV_OPERATOR_Floor, place);
    dv_value upper = dv_program_with(program, DV_OPERATOR_Add, lower, 1);
    upper = dv_program_binary(program, DV_OPERATOR_Min, upper, in->last);
    dv_value rest = dv_program_binary(program, DV_OPERATOR_Sub, place, lower);
    dv_value from = pick(program, sorted, lower), to = pick(program, sorted, upper);
    dv_value step = dv_program_binary(program, DV_OPERATOR_Sub, to, from);
    step = dv_program_binary(program, DV_OPERATOR_Mul, step, rest);
    return dv_program_binary(program, DV_OPERATOR_Add, from, step);
}

/* The largest number of samples whose noise floor is that of a short clip. */
static int64_t longest_short(int64_t sample_rate)
{
    const dv__noise_floor *of_short = dv__noise_floor_of(0);
    int64_t low = 0, high = 60 * sample_rate;
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        bool is_short = dv__noise_floor_of((double)middle / (double)sample_rate) == of_short;
        low = is_short ? middle : low;
        high = is_short ? high : middle;
    }
    return low;
}

static void subtract_floor(dv_program *program, int64_t sample_rate, envelope *out)
{
    dv_program_scope(program, "front_end/placement/floor");
    const dv__noise_floor *of_short = dv__noise_floor_of(0), *of_long = dv__noise_floor_of(60);
    dv_value is_long = above(program, out->count, (double)longest_short(sample_rate) + 0.5);
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

/* The median of five neighbours: of four values the smallest and the largest cannot be it. */
static dv_value smoothed(dv_program *program, dv_value x)
{
    dv_value near[5];
    dv_program_scope(program, "front_end/placement/median");
    x = dv_program_pad(program, x, 1, 2, 2);
    for (int k = 0; k < 5; k++)
        near[k] = dv_program_slice(program, x, 1, k, k < 4 ? k - 4 : DV_TO_THE_END);
    dv_value low = dv_program_binary(program, DV_OPERATOR_Max,
                                     dv_program_binary(program, DV_OPERATOR_Min, near[0], near[1]),
                                     dv_program_binary(program, DV_OPERATOR_Min, near[2], near[3]));
    dv_value high = dv_program_binary(
        program, DV_OPERATOR_Min, dv_program_binary(program, DV_OPERATOR_Max, near[0], near[1]),
        dv_program_binary(program, DV_OPERATOR_Max, near[2], near[3]));
    dv_value larger = dv_program_binary(program, DV_OPERATOR_Max, low, high);
    larger = dv_program_binary(program, DV_OPERATOR_Min, larger, near[4]);
    return dv_program_binary(program, DV_OPERATOR_Max,
                             dv_program_binary(program, DV_OPERATOR_Min, low, high), larger);
}

/* Leaves of x the `frames` neighbours that hold the most. */
static dv_value loudest(dv_program *program, const envelope *in, dv_value x, int64_t frames)
{
    dv_program_scope(program, "front_end/placement/loudest");
    dv_value sums = pool(program, dv_program_pad(program, x, 1, frames - 1, 0), frames, 1);
    dv_value last = dv_program_along(program, DV_OPERATOR_ArgMax, sums, 1);
    last = dv_program_cast(program, last, DV_ELEMENT_F32);
    last = dv_program_with(program, DV_OPERATOR_Add, last, 0.5);
    dv_value before = dv_program_with(program, DV_OPERATOR_Sub, last, (double)frames);
    dv_value kept = dv_program_binary(
        program, DV_OPERATOR_And, dv_program_binary(program, DV_OPERATOR_Less, before, in->index),
        dv_program_binary(program, DV_OPERATOR_Less, in->index, last));
    return choose(program, kept, x, number(program, 0));
}

/* The centroid of weights x (batch, frames) in samples, (batch, 1); -1 where all are 0. */
static dv_value centroid(dv_program *program, dv_value middles, dv_value x)
{
    dv_value weights = sum(program, x);
    dv_value moments = sum(program, dv_program_binary(program, DV_OPERATOR_Mul, x, middles));
    return choose(program, above(program, weights, 0), ratio(program, moments, weights),
                  number(program, -1));
}

/* Twice the middle of each frame's part of the clip, halved: (from + to) / 2. */
static dv_value middles_of(dv_program *program, const envelope *in)
{
    dv_value from = dv_program_with(program, DV_OPERATOR_Mul, in->index, (double)in->hop);
    dv_value to = dv_program_with(program, DV_OPERATOR_Add, from, (double)in->length);
    to = dv_program_binary(program, DV_OPERATOR_Min, to, in->count);
    return dv_program_with(program, DV_OPERATOR_Mul,
                           dv_program_binary(program, DV_OPERATOR_Add, from, to), 0.5);
}

/* The sample around which the window is placed, (batch, 1), FP32. */
static dv_value word_centre(const dv_frontend *frontend, dv_program *program, dv_value x)
{
    envelope in;
    int64_t rate = frontend->config.sample_rate;
    make_envelope(program, x, rate, &in);
    subtract_floor(program, rate, &in);
    dv_value smooth = smoothed(program, in.values);
    int64_t frames = frontend->samples > in.hop ? frontend->samples / in.hop : 1;
    smooth = loudest(program, &in, smooth, frames);
    dv_program_scope(program, "front_end/placement/centre");
    dv_value middles = middles_of(program, &in);
    dv_value centre = centroid(program, middles, smooth);
    dv_value other = centroid(program, middles, in.values);
    centre = choose(program, below(program, centre, 0), other, centre);
    dv_value rounded = dv_program_with(program, DV_OPERATOR_Add, centre, 0.5);
    dv_value half = dv_program_with(program, DV_OPERATOR_Mul, in.count, 0.5);
    rounded = choose(program, below(program, centre, 0), half, rounded);
    rounded = dv_program_unary(program, DV_OPERATOR_Floor, rounded);
    dv_value last = dv_program_with(program, DV_OPERATOR_Sub, in.count, 1);
    return dv_program_binary(program, DV_OPERATOR_Min, rounded, last);
}

/* ---- The window ---- */

/* `size` of an axis of any length: its middle, or what it begins with, and zeros beside it. */
static dv_value cut(dv_program *program, dv_placement placement, dv_value x, int axis, int64_t size)
{
    if (placement == DV_PLACE_START)
        return dv_program_slice(program, dv_program_pad(program, x, axis, 0, size), axis, 0, size);
    dv_value places = dv_program_with(program, DV_OPERATOR_Div,
                                      dv_program_along(program, DV_OPERATOR_Size, x, axis), 2);
    places = dv_program_binary(program, DV_OPERATOR_Add, places, dv_program_range(program, size));
    x = dv_program_pad(program, x, axis, size / 2, size - size / 2);
    return dv_program_add(program, DV_OPERATOR_Gather, (const dv_value[]){x, places}, 2,
                          &(dv_attributes){.axis = axis});
}

/* `size` samples around the word. */
static dv_value cut_word(const dv_frontend *frontend, dv_program *program, dv_value x, int64_t size)
{
    dv_value places = dv_program_cast(program, word_centre(frontend, program, x), DV_ELEMENT_I64);
    dv_program_scope(program, "front_end/window");
    places = dv_program_binary(program, DV_OPERATOR_Add, places, dv_program_range(program, size));
    x = dv_program_pad(program, x, 1, size / 2, size - size / 2);
    return dv_program_add(program, DV_OPERATOR_GatherElements, (const dv_value[]){x, places}, 2,
                          &(dv_attributes){.axis = 1});
}

dv_value dv_frontend_write_window(const dv_frontend *frontend, dv_program *program, dv_value audio)
{
    dv_placement placement = (dv_placement)frontend->config.placement;
    dv_program_scope(program, "front_end/dc");
    dv_value x =
        dv_program_binary(program, DV_OPERATOR_Sub, audio,
                          dv_program_reduce(program, DV_OPERATOR_ReduceMean, audio, 1, -1));
    x = at_level(&frontend->config, program, x);
    if (placement == DV_PLACE_ENERGY)
        return cut_word(frontend, program, x, frontend->samples);
    dv_program_scope(program, "front_end/window");
    return cut(program, placement, x, 1, frontend->samples);
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
    x = cut(program, (dv_placement)frontend->config.placement, x, 2, frontend->frames);
    return dv_program_with(program, DV_OPERATOR_Add, x, DV__SILENT_BAND);
}
