/* Audio to window, as statements of a program: placement.c, in products, pools and sorting. */
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

/* A clip below the silence keeps its level. */
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
    power = pool(program, dv_program_pad(program, power, 1, 0, out->length), out->length, out->hop);
    out->values = dv_program_unary(program, DV_OPERATOR_Sqrt, power);
    out->count =
        dv_program_cast(program, dv_program_along(program, DV_OPERATOR_Size, x, 1), DV_ELEMENT_F32);
    out->last = last_frame(program, out);

    dv_value ones = dv_program_with(program, DV_OPERATOR_Mul, power, 0);
    ones = dv_program_with(program, DV_OPERATOR_Add, ones, 1);
    dv_value numbers = dv_program_along(program, DV_OPERATOR_CumSum, ones, 1);
    out->index = dv_program_with(program, DV_OPERATOR_Sub, numbers, 1);
    out->within = dv_program_binary(program, DV_OPERATOR_Less, out->index,
                                    dv_program_with(program, DV_OPERATOR_Add, out->last, 0.5));
}

/* `fraction` (without axes) of the way through the values in order, linear between two: each value
   counts by 1 - its distance in places. */
static dv_value percentile(dv_program *program, const envelope *in, dv_value fraction)
{
    dv_value sorted = choose(program, in->within, in->values, number(program, 1e30));
    sorted = dv_program_along(program, DV_OPERATOR_Sort, sorted, 1);
    dv_value place = dv_program_binary(program, DV_OPERATOR_Mul, in->last, fraction);
    dv_value distance = dv_program_binary(program, DV_OPERATOR_Sub, in->index, place);
    distance = dv_program_unary(program, DV_OPERATOR_Abs, distance);
    dv_value share = dv_program_binary(program, DV_OPERATOR_Sub, number(program, 1), distance);
    share = dv_program_unary(program, DV_OPERATOR_Relu, share);
    return sum(program, dv_program_binary(program, DV_OPERATOR_Mul, sorted, share));
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

/* Leaves of x the `frames` neighbours that hold the most: those whose distance to the middle of
   them is below half their number. */
static dv_value loudest(dv_program *program, const envelope *in, dv_value x, int64_t frames)
{
    dv_program_scope(program, "front_end/placement/loudest");
    dv_value sums = pool(program, dv_program_pad(program, x, 1, frames - 1, 0), frames, 1);
    dv_value last = dv_program_along(program, DV_OPERATOR_ArgMax, sums, 1);
    last = dv_program_cast(program, last, DV_ELEMENT_F32);
    dv_value distance = dv_program_binary(program, DV_OPERATOR_Sub, in->index, last);
    distance = dv_program_with(program, DV_OPERATOR_Add, distance, (double)(frames - 1) / 2);
    distance = dv_program_unary(program, DV_OPERATOR_Abs, distance);
    return choose(program, below(program, distance, (double)frames / 2), x, number(program, 0));
}

/* The middle of each frame's part of the clip, (from + to) / 2. */
static dv_value middles_of(dv_program *program, const envelope *in)
{
    dv_value from = dv_program_with(program, DV_OPERATOR_Mul, in->index, (double)in->hop);
    dv_value to = dv_program_with(program, DV_OPERATOR_Add, from, (double)in->length);
    to = dv_program_binary(program, DV_OPERATOR_Min, to, in->count);
    return dv_program_with(program, DV_OPERATOR_Mul,
                           dv_program_binary(program, DV_OPERATOR_Add, from, to), 0.5);
}

/*
 * The sample around which the window is placed, (batch, 1), FP32: the centroid of what the median
 * and the loudest stretch have left, of the envelope where that is nothing, and the middle of the
 * clip where this is nothing too.
 */
static dv_value word_centre(const dv_frontend *frontend, dv_program *program, dv_value x)
{
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
        sum(program, dv_program_binary(program, DV_OPERATOR_Mul, kept, middles_of(program, &in)));
    dv_value centre = ratio(program, moments, weights);
    centre = dv_program_with(program, DV_OPERATOR_Add, centre, 0.5);
    dv_value half = dv_program_with(program, DV_OPERATOR_Mul, in.count, 0.5);
    centre = choose(program, above(program, weights, 0), centre, half);
    centre = dv_program_unary(program, DV_OPERATOR_Floor, centre);
    dv_value last = dv_program_with(program, DV_OPERATOR_Sub, in.count, 1);
    return dv_program_binary(program, DV_OPERATOR_Min, centre, last);
}

/* ---- The window ---- */

/* The clip gets zeros around it, so that every window lies in it. */
dv_value dv_frontend_write_window(const dv_frontend *frontend, dv_program *program, dv_value audio)
{
    int64_t size = frontend->samples;
    dv_value place;
    dv_program_scope(program, "front_end/dc");
    dv_value x =
        dv_program_binary(program, DV_OPERATOR_Sub, audio,
                          dv_program_reduce(program, DV_OPERATOR_ReduceMean, audio, 1, -1));
    x = at_level(&frontend->config, program, x);
    switch ((dv_placement)frontend->config.placement) {
    case DV_PLACE_ENERGY:
        place = dv_program_cast(program, word_centre(frontend, program, x), DV_ELEMENT_I64);
        dv_program_scope(program, "front_end/window");
        place = dv_program_binary(program, DV_OPERATOR_Add, place, dv_program_range(program, size));
        x = dv_program_pad(program, x, 1, size / 2, size - size / 2);
        return dv_program_add(program, DV_OPERATOR_GatherElements, (const dv_value[]){x, place}, 2,
                              &(dv_attributes){.axis = 1});
    case DV_PLACE_MIDDLE:
        dv_program_scope(program, "front_end/window");
        place = dv_program_with(program, DV_OPERATOR_Div,
                                dv_program_along(program, DV_OPERATOR_Size, x, 1), 2);
        place = dv_program_binary(program, DV_OPERATOR_Add, place, dv_program_range(program, size));
        x = dv_program_pad(program, x, 1, size / 2, size - size / 2);
        return dv_program_add(program, DV_OPERATOR_Gather, (const dv_value[]){x, place}, 2,
                              &(dv_attributes){.axis = 1});
    case DV_PLACE_START:
        break;
    }
    dv_program_scope(program, "front_end/window");
    return dv_program_slice(program, dv_program_pad(program, x, 1, 0, size), 1, 0, size);
}
