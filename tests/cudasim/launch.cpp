/*
 * Runs kernels: the blocks of a grid one after another, and the threads of a block on fibers, each
 * until it waits for others. DECAVOX_CUDASIM_ORDER chooses the order, on which a kernel's results
 * must not depend.
 */
#include "tests/cudasim/device.h"
#include "tests/cudasim/fibers.h"
#include "tests/cudasim/internal.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace cudasim
{
const uint3 *thread_index;
uint3 block_index;
dim3 block_size;
dim3 grid_size;

namespace
{
constexpr unsigned warp_size = 32;
constexpr unsigned all_lanes = 0xFFFFFFFFU;
constexpr std::size_t exchanged_bytes = 8;

enum class Order { forward, reverse, shuffled };
enum class State { ready, at_barrier, at_warp, done };

struct Thread {
    uint3 index;
    unsigned number; /* the thread's number in the block */
    State state;
    Fiber *fiber; /* the fiber on which it waits */

    const Site *site; /* the place where it waits */
    bool predicate;   /* its vote */
    unsigned mask;
    unsigned source;
    unsigned char offered[exchanged_bytes];

    int answer; /* number of threads, or mask of lanes, with a true predicate */
    unsigned char received[exchanged_bytes];
};

/* State of the running kernel. Fibers outlive it, because their stacks are used again. */
const char *kernel_name;
const std::function<void()> *thread_body;
std::vector<Thread> threads;
std::vector<unsigned> thread_order;
std::size_t next_thread; /* place in thread_order of the first thread that has not started */
Thread *running;
Order order;
std::minstd_rand random_numbers;

std::vector<std::unique_ptr<Fiber>> fibers;
std::vector<Fiber *> idle_fibers;

std::map<const void *, std::size_t> &dynamic_limits()
{
    static std::map<const void *, std::size_t> limits;
    return limits;
}

Order chosen_order()
{
    const std::string name = setting("DECAVOX_CUDASIM_ORDER", "forward");
    if (name == "forward") {
        return Order::forward;
    }
    if (name == "reverse") {
        return Order::reverse;
    }
    if (name == "shuffled") {
        return Order::shuffled;
    }
    die("DECAVOX_CUDASIM_ORDER is \"%s\"; forward, reverse and shuffled are possible",
        name.c_str());
}

void put_in_order(std::vector<unsigned> &numbers)
{
    for (std::size_t i = 0; i < numbers.size(); i++) {
        const std::size_t place = order == Order::reverse ? numbers.size() - 1 - i : i;
        numbers[i] = static_cast<unsigned>(place);
    }
    if (order == Order::shuffled) {
        std::shuffle(numbers.begin(), numbers.end(), random_numbers);
    }
}

uint3 place_of(unsigned number, dim3 size)
{
    return {number % size.x, number / size.x % size.y, number / (size.x * size.y)};
}

void set_running(Thread *thread)
{
    running = thread;
    thread_index = thread == nullptr ? nullptr : &thread->index;
}

/* The body of a fiber: starts threads one after another. A thread that waits keeps the fiber, and
   another fiber starts the rest. */
void run_fresh_threads()
{
    while (next_thread < thread_order.size()) {
        Thread *thread = &threads[thread_order[next_thread++]];
        set_running(thread);
        (*thread_body)();
        thread->state = State::done;
    }
    idle_fibers.push_back(Fiber::current());
    Fiber::suspend();
}

void start_threads()
{
    while (next_thread < thread_order.size()) {
        if (idle_fibers.empty()) {
            fibers.push_back(std::make_unique<Fiber>(run_fresh_threads));
            idle_fibers.push_back(fibers.back().get());
        }
        Fiber *fiber = idle_fibers.back();
        idle_fibers.pop_back();
        fiber->resume();
        set_running(nullptr);
    }
}

Thread *wait(State state, const Site *site)
{
    Thread *self = running;
    if (self == nullptr) {
        die("%s at %s:%d outside of a kernel", site->call, site->file, site->line);
    }
    self->state = state;
    self->site = site;
    self->fiber = Fiber::current();
    Fiber::suspend();
    return self;
}

void resume(Thread &thread)
{
    set_running(&thread);
    thread.state = State::ready;
    thread.fiber->resume();
    set_running(nullptr);
}

/* ---- Barriers ---- */

void check_barrier()
{
    const Thread *first = nullptr;
    const Thread *exited = nullptr;
    for (const Thread &thread : threads) {
        if (thread.state == State::done) {
            exited = exited == nullptr ? &thread : exited;
        } else if (first == nullptr) {
            first = &thread;
        } else if (thread.site != first->site) {
            die("divergent barrier: thread %u waits in %s at %s:%d, thread %u in %s at %s:%d",
                first->number, first->site->call, first->site->file, first->site->line,
                thread.number, thread.site->call, thread.site->file, thread.site->line);
        }
    }
    if (exited != nullptr) {
        die("divergent barrier: thread %u waits in %s at %s:%d, thread %u has returned",
            first->number, first->site->call, first->site->file, first->site->line, exited->number);
    }
}

void release_barrier()
{
    check_barrier();
    int count = 0;
    for (const Thread &thread : threads) {
        count += thread.predicate;
    }
    for (Thread &thread : threads) {
        thread.answer = count;
        thread.state = State::ready;
    }
    /* Each thread may be waiting again before the next one goes on. */
    for (unsigned number : thread_order) {
        resume(threads[number]);
    }
}

/* ---- Warps ---- */

/* The lanes of the warp that wait at the same place as `leader`, with the same mask. */
unsigned lanes_with(const Thread &leader, unsigned first)
{
    unsigned lanes = 0;
    for (unsigned i = 0; i < warp_size && first + i < threads.size(); i++) {
        const Thread &thread = threads[first + i];
        const bool with = thread.state == State::at_warp && thread.site == leader.site &&
                          thread.mask == leader.mask;
        lanes |= with ? 1U << i : 0U;
    }
    return lanes;
}

void answer_lane(Thread &thread, unsigned first, int ballot)
{
    thread.answer = ballot;
    if ((thread.mask >> thread.source & 1U) != 0) {
        std::memcpy(thread.received, threads[first + thread.source].offered, exchanged_bytes);
    } else {
        std::memset(thread.received, 0xFF, exchanged_bytes);
    }
}

void release_lanes(unsigned lanes, unsigned first)
{
    unsigned ballot = 0;
    for (unsigned i = 0; i < warp_size; i++) {
        if ((lanes >> i & 1U) != 0) {
            ballot |= threads[first + i].predicate ? 1U << i : 0U;
        }
    }
    for (unsigned i = 0; i < warp_size; i++) {
        if ((lanes >> i & 1U) != 0) {
            answer_lane(threads[first + i], first, static_cast<int>(ballot));
        }
    }
    /* An odd stride visits each lane once. */
    const bool shuffled = order == Order::shuffled;
    const unsigned stride = shuffled ? static_cast<unsigned>(random_numbers()) | 1U : 1U;
    const unsigned start = shuffled ? static_cast<unsigned>(random_numbers()) : 0U;
    for (unsigned k = 0; k < warp_size; k++) {
        unsigned i = order == Order::reverse ? warp_size - 1 - k : k;
        i = (start + i * stride) % warp_size;
        if ((lanes >> i & 1U) != 0) {
            resume(threads[first + i]);
        }
    }
}

/* Lets lanes of the warp go on if all that they wait for are there. Returns whether any went on. */
bool release_warp(unsigned first)
{
    bool progress = false;
    for (unsigned i = 0; i < warp_size && first + i < threads.size(); i++) {
        const Thread &leader = threads[first + i];
        if (leader.state == State::at_warp && lanes_with(leader, first) == leader.mask) {
            release_lanes(leader.mask, first);
            progress = true;
        }
    }
    return progress;
}

/* Ends the program when no thread can go on: names the lanes that this thread waits for, and where
   they are. */
[[noreturn]] void die_of_missing_lane(const Thread &waiting)
{
    const unsigned first = waiting.number / warp_size * warp_size;
    const unsigned missing = waiting.mask & ~lanes_with(waiting, first);
    unsigned lane_number = 0;
    while ((missing >> lane_number & 1U) == 0) {
        lane_number++;
    }
    const Site *site = waiting.site;
    if (first + lane_number >= threads.size()) {
        die("%s at %s:%d: mask %08x names lane %u, which the block of %zu threads does not have",
            site->call, site->file, site->line, waiting.mask, lane_number, threads.size());
    }
    const Thread &other = threads[first + lane_number];
    if (other.state == State::done) {
        die("%s at %s:%d: mask %08x names lane %u, which has returned", site->call, site->file,
            site->line, waiting.mask, lane_number);
    }
    die("%s at %s:%d: mask %08x names lane %u, which waits in %s at %s:%d", site->call, site->file,
        site->line, waiting.mask, lane_number, other.site->call, other.site->file,
        other.site->line);
}

/* ---- Blocks ---- */

/* Lets waiting threads go on: warps as far as they can, then the barrier. Returns false when all
   threads are done. */
bool go_on()
{
    bool progress = false;
    for (unsigned first = 0; first < threads.size(); first += warp_size) {
        progress = release_warp(first) || progress;
    }
    if (progress) {
        return true;
    }
    bool waiting = false;
    for (const Thread &thread : threads) {
        if (thread.state == State::at_warp) {
            die_of_missing_lane(thread);
        }
        waiting = waiting || thread.state == State::at_barrier;
    }
    if (waiting) {
        release_barrier();
    }
    return waiting;
}

void run_block(unsigned number)
{
    block_index = place_of(number, grid_size);
    for (unsigned i = 0; i < threads.size(); i++) {
        threads[i] = Thread();
        threads[i].number = i;
        threads[i].index = place_of(i, block_size);
    }
    put_in_order(thread_order);
    next_thread = 0;
    shared_begin_block();
    start_threads();
    while (go_on()) {}
    shared_end_block();
}

void run_kernel(const char *name, dim3 grid, dim3 block, std::size_t shared, std::size_t limit,
                const std::function<void()> &body)
{
    kernel_name = name;
    thread_body = &body;
    grid_size = grid;
    block_size = block;
    order = chosen_order();
    threads.resize(static_cast<std::size_t>(block.x) * block.y * block.z);
    thread_order.resize(threads.size());
    std::vector<unsigned> blocks(static_cast<std::size_t>(grid.x) * grid.y * grid.z);
    put_in_order(blocks);
    shared_begin_kernel(shared, limit);
    for (unsigned number : blocks) {
        run_block(number);
    }
    shared_end_kernel();
    kernel_name = nullptr;
    thread_body = nullptr;
}

bool is_possible(dim3 grid, dim3 block)
{
    const std::size_t most_blocks = 0x7FFFFFFF;
    const std::size_t count = static_cast<std::size_t>(block.x) * block.y * block.z;
    return count > 0 && count <= 1024 && block.z <= 64 && grid.x > 0 && grid.x <= most_blocks &&
           grid.y > 0 && grid.y <= 65535 && grid.z > 0 && grid.z <= 65535;
}
} // namespace

void launch_kernel(const char *name, const void *kernel, dim3 grid, dim3 block, std::size_t shared,
                   void *stream, const std::function<void()> &thread)
{
    const Lock lock(simulator());
    if (running != nullptr) {
        die("a kernel launches `%s`", name);
    }
    if (!is_possible(grid, block)) {
        fail(cudaErrorInvalidConfiguration);
        return;
    }
    const auto allowed = dynamic_limits().find(kernel);
    const bool more = allowed != dynamic_limits().end();
    if (shared > (more ? allowed->second : shared_default)) {
        fail(cudaErrorInvalidValue);
        return;
    }
    const std::size_t limit = more ? shared_most : shared_default;
    submit(static_cast<cudaStream_t>(stream), name,
           [=] { run_kernel(name, grid, block, shared, limit, thread); });
}

void allow_shared(const void *kernel, std::size_t bytes)
{
    dynamic_limits()[kernel] = std::max(bytes, shared_default);
}

int barrier(const Site *site, bool predicate)
{
    if (running != nullptr) {
        running->predicate = predicate;
    }
    return wait(State::at_barrier, site)->answer;
}

int block_threads()
{
    return static_cast<int>(threads.size());
}

unsigned lane()
{
    if (running == nullptr) {
        die("a warp's operation outside of a kernel");
    }
    return running->number % warp_size;
}

void warp_exchange(const Site *site, unsigned mask, const void *offered, void *received,
                   std::size_t bytes, unsigned source)
{
    if (running != nullptr) {
        if ((mask >> lane() & 1U) == 0) {
            die("%s at %s:%d: lane %u is not in its own mask %08x", site->call, site->file,
                site->line, lane(), mask);
        }
        running->mask = mask;
        running->source = source;
        std::memcpy(running->offered, offered, bytes);
    }
    const Thread *self = wait(State::at_warp, site);
    std::memcpy(received, self->received, bytes);
}

unsigned warp_ballot(const Site *site, unsigned mask, bool predicate)
{
    const unsigned char nothing = 0;
    unsigned char ignored;
    if (running != nullptr) {
        running->predicate = predicate;
    }
    Thread *self = running;
    warp_exchange(site, mask, &nothing, &ignored, sizeof nothing, self == nullptr ? 0 : lane());
    return static_cast<unsigned>(self->answer);
}

void warp_barrier(const Site *site, unsigned mask)
{
    warp_ballot(site, mask, false);
}

std::string running_place()
{
    if (kernel_name == nullptr) {
        return "";
    }
    char text[256];
    std::snprintf(text, sizeof text, "kernel %s, block %u,%u,%u", kernel_name, block_index.x,
                  block_index.y, block_index.z);
    std::string place = text;
    if (running != nullptr) {
        std::snprintf(text, sizeof text, ", thread %u,%u,%u", running->index.x, running->index.y,
                      running->index.z);
        place += text;
    }
    return place;
}

void die(const char *format, ...)
{
    std::va_list arguments;
    va_start(arguments, format);
    std::fputs("cudasim: ", stderr);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    const std::string place = running_place();
    std::fprintf(stderr, place.empty() ? "\n" : " [%s]\n", place.c_str());
    std::abort();
}
} // namespace cudasim
