/* Chooses one of the CPU's implementations of the convolution (cpu_conv2d.h), and calls it. */
#include "engine/ops/conv2d/cpu_conv2d.h"
#include "engine/ops/cpu.h"

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    bool fits = false;
    DV_TRY(dv__conv2d_fits_packed(planner, s, &fits));
    if (fits)
        return dv__conv2d_packed.plan(planner, s);
    if (dv__conv2d_is_pointwise(s) && dv_planner_layout(planner, 0) == NULL)
        return dv__conv2d_pointwise.plan(planner, s);
    DV_TRY(dv__conv2d_fits_taps(planner, s, &fits));
    return fits ? dv__conv2d_taps.plan(planner, s) : dv__conv2d_direct.plan(planner, s);
}

static const dv_impl *way(const dv_node_step *s)
{
    return *(const dv_impl *const *)s->self;
}

static dv_status forward(dv_node_step *s)
{
    return way(s)->forward(s);
}

static dv_status backward(dv_node_step *s)
{
    return way(s)->backward(s);
}

static bool absorb(dv_planner *planner, dv_node_step *s, const dv_node *next, int input)
{
    return dv__conv2d_packed.absorb(planner, s, next, input);
}

static void drop(dv_node_step *s)
{
    way(s)->drop(s);
}

const dv_impl dv_conv2d_cpu = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop, .absorb = absorb};
