/*
 * Streams, events, captures and graphs. Work is queued and runs as late as on a real device, when
 * the host waits for it, so a host that reads a result without waiting reads the old one.
 * DECAVOX_CUDASIM_STREAMS=immediate runs it at once, and a debugger sees the submitting code.
 */
#include "tests/cudasim/internal.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace cudasim
{
namespace
{
struct Work {
    const char *what;
    std::function<void()> run;
};

using Program = std::vector<Work>;

/* One capture. Streams that wait for an event of it join it. */
struct Capture {
    cudaStream_t origin;
    cudaStreamCaptureMode mode;
    std::thread::id thread; /* the thread that began it */
    bool broken = false;
    Program program;
    /* The joined streams with work that the origin does not wait for yet. */
    std::set<cudaStream_t> unjoined;
};

/* One recording of an event. */
struct Mark {
    cudaStream_t stream;
    std::shared_ptr<Capture> capture; /* NULL outside of captures */
    bool reached = false;
    std::chrono::steady_clock::time_point time;
};
} // namespace
} // namespace cudasim

struct CUstream_st {
    bool blocking; /* the default stream and this one wait for each other */
    std::deque<cudasim::Work> queue;
    std::shared_ptr<cudasim::Capture> capture;
};

struct CUevent_st {
    bool timed;
    std::shared_ptr<cudasim::Mark> mark; /* NULL before it is recorded */
};

struct CUgraph_st {
    std::shared_ptr<const cudasim::Program> program;
};

struct CUgraphExec_st {
    std::shared_ptr<const cudasim::Program> program;
};

namespace cudasim
{
namespace
{
CUstream_st default_stream = {true, {}, nullptr};
std::set<cudaStream_t> streams;
cudaError_t device_error = cudaSuccess; /* never cleared again */

/* The per-thread default stream stands for the legacy default stream here. */
CUstream_st *find(cudaStream_t stream)
{
    if (stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread) {
        return &default_stream;
    }
    if (streams.count(stream) == 0) {
        die("%p is no stream, or one that was destroyed", static_cast<void *>(stream));
    }
    return stream;
}

/* Runs one piece of work and then checks the guards, so that a message names the guilty one. */
void perform(const Work &work)
{
    const DeviceAccess access;
    work.run();
    check_device_guards(work.what);
}

void run_one(CUstream_st *stream)
{
    const Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    perform(work);
}

/* Opens access once for all work, because changing the protection of much memory takes long. */
void run_all(CUstream_st *stream)
{
    if (stream->queue.empty()) {
        return;
    }
    const DeviceAccess access;
    while (!stream->queue.empty()) {
        run_one(stream);
    }
}

void run_until(const std::shared_ptr<Mark> &mark)
{
    while (!mark->reached) {
        run_one(find(mark->stream));
    }
}

bool runs_at_once()
{
    const std::string when = setting("DECAVOX_CUDASIM_STREAMS", "deferred");
    if (when != "deferred" && when != "immediate") {
        die("DECAVOX_CUDASIM_STREAMS is \"%s\"; deferred and immediate are possible", when.c_str());
    }
    return when == "immediate";
}

void add_to_capture(CUstream_st *stream, Work work)
{
    Capture &capture = *stream->capture;
    if (stream != capture.origin) {
        capture.unjoined.insert(stream);
    }
    capture.program.push_back(std::move(work));
}

/* Work of the default stream runs after all earlier work of the blocking streams. */
cudaError_t submit_by_default(const Work &work)
{
    for (cudaStream_t stream : streams) {
        if (stream->blocking && stream->capture != nullptr) {
            stream->capture->broken = true;
            return fail(cudaErrorStreamCaptureImplicit);
        }
    }
    for (cudaStream_t stream : streams) {
        if (stream->blocking) {
            run_all(stream);
        }
    }
    perform(work);
    return cudaSuccess;
}

cudaError_t enqueue(CUstream_st *stream, Work work)
{
    if (stream == &default_stream) {
        return submit_by_default(work);
    }
    if (stream->capture == nullptr) {
        stream->queue.push_back(std::move(work));
        if (runs_at_once()) {
            run_all(stream);
        }
        return cudaSuccess;
    }
    if (stream->capture->broken) {
        return fail(cudaErrorStreamCaptureInvalidated);
    }
    add_to_capture(stream, std::move(work));
    return cudaSuccess;
}
} // namespace

std::recursive_mutex &simulator()
{
    static std::recursive_mutex mutex;
    return mutex;
}

cudaError_t submit(cudaStream_t stream, const char *what, std::function<void()> work)
{
    const Lock lock(simulator());
    return enqueue(find(stream), {what, std::move(work)});
}

bool is_capturing(cudaStream_t stream)
{
    const Lock lock(simulator());
    return find(stream)->capture != nullptr;
}

/* A capture of cudaStreamCaptureModeThreadLocal forbids unsafe calls only to its own thread. */
static bool forbids_here(const Capture &capture)
{
    return capture.mode == cudaStreamCaptureModeGlobal ||
           (capture.mode == cudaStreamCaptureModeThreadLocal &&
            capture.thread == std::this_thread::get_id());
}

cudaError_t refuse_in_capture()
{
    bool refused = false;
    for (cudaStream_t stream : streams) {
        if (stream->capture != nullptr && forbids_here(*stream->capture)) {
            stream->capture->broken = true;
            refused = true;
        }
    }
    return refused ? fail(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

cudaError_t break_capture(cudaStream_t stream, cudaError_t error)
{
    const std::shared_ptr<Capture> capture = find(stream)->capture;
    if (capture == nullptr) {
        return cudaSuccess;
    }
    capture->broken = true;
    return fail(error);
}

void break_device(cudaError_t error)
{
    device_error = error;
}

void finish(cudaStream_t stream)
{
    run_all(find(stream));
}

void finish_all()
{
    for (cudaStream_t stream : streams) {
        run_all(stream);
    }
}
} // namespace cudasim

using namespace cudasim;

/* ---- Streams ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    const Lock lock(simulator());
    *out = new CUstream_st{(flags & cudaStreamNonBlocking) == 0, {}, nullptr};
    streams.insert(*out);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *out)
{
    return cudaStreamCreateWithFlags(out, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    const Lock lock(simulator());
    if (find(stream) == &default_stream) {
        return fail(cudaErrorInvalidResourceHandle);
    }
    break_capture(stream, cudaErrorStreamCaptureUnsupported);
    finish(stream);
    streams.erase(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    const Lock lock(simulator());
    if (is_capturing(stream)) {
        return break_capture(stream, cudaErrorStreamCaptureUnsupported);
    }
    finish(stream);
    return device_error == cudaSuccess ? cudaSuccess : fail(device_error);
}

/* Each query runs one more piece of work, so that polling comes to an end. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    const Lock lock(simulator());
    if (is_capturing(stream)) {
        return break_capture(stream, cudaErrorStreamCaptureUnsupported);
    }
    CUstream_st *asked = find(stream);
    if (asked->queue.empty()) {
        return cudaSuccess;
    }
    run_one(asked);
    return cudaErrorNotReady;
}

cudaError_t cudaDeviceSynchronize(void)
{
    const Lock lock(simulator());
    for (cudaStream_t stream : streams) {
        if (is_capturing(stream)) {
            return break_capture(stream, cudaErrorStreamCaptureUnsupported);
        }
    }
    finish_all();
    return device_error == cudaSuccess ? cudaSuccess : fail(device_error);
}

/* ---- Events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    *out = new CUevent_st{(flags & cudaEventDisableTiming) == 0, nullptr};
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out)
{
    return cudaEventCreateWithFlags(out, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    const Lock lock(simulator());
    CUstream_st *recorded = find(stream);
    const auto mark = std::make_shared<Mark>(Mark{recorded, recorded->capture, false, {}});
    event->mark = mark;
    if (recorded->capture != nullptr) {
        return recorded->capture->broken ? fail(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
    }
    return enqueue(recorded, {"cudaEventRecord", [mark] {
                                  mark->reached = true;
                                  mark->time = std::chrono::steady_clock::now();
                              }});
}

/* A wait for an event of a capture makes the stream join it, or joins the event's stream again. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    const Lock lock(simulator());
    (void)flags;
    CUstream_st *waiting = find(stream);
    const std::shared_ptr<Mark> mark = event->mark;
    if (mark == nullptr) {
        return cudaSuccess;
    }
    if (mark->capture != nullptr) {
        if (waiting->capture != nullptr && waiting->capture != mark->capture) {
            return fail(cudaErrorStreamCaptureMerge);
        }
        if (waiting->capture == nullptr) {
            waiting->capture = mark->capture;
        }
        mark->capture->unjoined.erase(mark->stream);
        return cudaSuccess;
    }
    if (waiting->capture != nullptr) {
        waiting->capture->broken = true;
        return fail(cudaErrorStreamCaptureIsolation);
    }
    return enqueue(waiting, {"cudaStreamWaitEvent", [mark] { run_until(mark); }});
}

static cudaError_t refuse_captured(cudaEvent_t event)
{
    if (event->mark == nullptr || event->mark->capture == nullptr) {
        return cudaSuccess;
    }
    event->mark->capture->broken = true;
    return fail(cudaErrorCapturedEvent);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    const Lock lock(simulator());
    if (refuse_captured(event) != cudaSuccess) {
        return cudaErrorCapturedEvent;
    }
    if (event->mark != nullptr) {
        run_until(event->mark);
    }
    return device_error == cudaSuccess ? cudaSuccess : fail(device_error);
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    const Lock lock(simulator());
    if (refuse_captured(event) != cudaSuccess) {
        return cudaErrorCapturedEvent;
    }
    if (event->mark == nullptr || event->mark->reached) {
        return cudaSuccess;
    }
    run_one(find(event->mark->stream));
    return cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    const Lock lock(simulator());
    if (!start->timed || !end->timed || start->mark == nullptr || end->mark == nullptr) {
        return fail(cudaErrorInvalidResourceHandle);
    }
    if (!start->mark->reached || !end->mark->reached) {
        return cudaErrorNotReady;
    }
    const std::chrono::duration<float, std::milli> time = end->mark->time - start->mark->time;
    *milliseconds = time.count();
    return cudaSuccess;
}

/* ---- Capture and graphs ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode)
{
    const Lock lock(simulator());
    CUstream_st *captured = find(stream);
    if (captured == &default_stream) {
        return fail(cudaErrorStreamCaptureUnsupported);
    }
    if (captured->capture != nullptr) {
        return fail(cudaErrorIllegalState);
    }
    captured->capture = std::make_shared<Capture>();
    captured->capture->origin = captured;
    captured->capture->mode = mode;
    captured->capture->thread = std::this_thread::get_id();
    return cudaSuccess;
}

static cudaError_t verdict(const Capture &capture)
{
    if (capture.broken) {
        return cudaErrorStreamCaptureInvalidated;
    }
    return capture.unjoined.empty() ? cudaSuccess : cudaErrorStreamCaptureUnjoined;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    const Lock lock(simulator());
    const std::shared_ptr<Capture> capture = find(stream)->capture;
    *out = nullptr;
    if (capture == nullptr) {
        return fail(cudaErrorIllegalState);
    }
    if (capture->origin != stream) {
        capture->broken = true;
        return fail(cudaErrorStreamCaptureUnmatched);
    }
    for (cudaStream_t other : streams) {
        if (other->capture == capture) {
            other->capture = nullptr;
        }
    }
    if (verdict(*capture) != cudaSuccess) {
        return fail(verdict(*capture));
    }
    *out = new CUgraph_st{std::make_shared<const Program>(std::move(capture->program))};
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    const Lock lock(simulator());
    const std::shared_ptr<Capture> capture = find(stream)->capture;
    *status = capture == nullptr ? cudaStreamCaptureStatusNone
              : capture->broken  ? cudaStreamCaptureStatusInvalidated
                                 : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
    (void)flags;
    *out = new CUgraphExec_st{graph->program};
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph,
                                          unsigned long long flags)
{
    return cudaGraphInstantiate(out, graph, flags);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t graph, cudaStream_t stream)
{
    (void)graph;
    (void)stream;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream)
{
    const Lock lock(simulator());
    const std::shared_ptr<const Program> program = graph->program;
    return enqueue(find(stream), {"cudaGraphLaunch", [program] {
                                      for (const Work &work : *program) {
                                          perform(work);
                                      }
                                  }});
}

/* Returns only the number of nodes; no other call takes the nodes themselves. */
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, std::size_t *count)
{
    if (nodes != nullptr) {
        return fail(cudaErrorNotSupported);
    }
    *count = graph->program->size();
    return cudaSuccess;
}

/* Prints a chain in the order of submission. A node is named after its kernel or its call. */
cudaError_t cudaGraphDebugDotPrint(cudaGraph_t graph, const char *path, unsigned flags)
{
    (void)flags;
    std::FILE *file = std::fopen(path, "w");
    if (file == nullptr) {
        return fail(cudaErrorOperatingSystem);
    }
    std::fprintf(file, "digraph step {\n");
    for (std::size_t i = 0; i < graph->program->size(); i++) {
        std::fprintf(file, "\"node_%zu\" [label=\"%s\"];\n", i, (*graph->program)[i].what);
        if (i > 0) {
            std::fprintf(file, "\"node_%zu\" -> \"node_%zu\";\n", i - 1, i);
        }
    }
    std::fprintf(file, "}\n");
    return std::fclose(file) == 0 ? cudaSuccess : fail(cudaErrorOperatingSystem);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph)
{
    delete graph;
    return cudaSuccess;
}
