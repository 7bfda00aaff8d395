// Writes every kind of profile that gperftools can make about this program.
//
// It computes in recursive and inlined functions, on two threads, and allocates
// blocks of several sizes, of which it keeps some. Profiles are written into
// DIRECTORY: gperftools-cpu.prof (binary), gperftools.0001.heap (of the heap
// profiler), gperftools-sample.heap (what tcmalloc samples, but for the main
// thread, which started before it read TCMALLOC_SAMPLE_PARAMETER) and
// gperftools-growth.txt (where the heap grew).
// Usage: gpwork SECONDS DIRECTORY
#include <gperftools/heap-profiler.h>
#include <gperftools/malloc_extension.h>
#include <gperftools/profiler.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

volatile unsigned long sink;
std::vector<std::vector<char>*> kept;

inline unsigned long scramble(unsigned long x) {
  x ^= x >> 33;
  return x * 0xff51afd7ed558ccdUL;
}

}  // namespace

__attribute__((noinline)) unsigned long churn(int rounds) {
  unsigned long sum = 0;
  for (int i = 0; i < rounds; i++) sum += scramble(i);
  return sum;
}

__attribute__((noinline)) unsigned long nest(int depth, int rounds) {
  if (depth > 0) return nest(depth - 1, rounds) + 1;
  return churn(rounds);
}

class Table {
 public:
  __attribute__((noinline)) void count(int words) {
    for (int i = 0; i < words; i++) counts_[i * 7919 % words]++;
  }

 private:
  std::map<int, int> counts_;
};

__attribute__((noinline)) void compute(double seconds) {
  std::clock_t end = std::clock() + std::clock_t(seconds * CLOCKS_PER_SEC);
  Table table;
  while (std::clock() < end) {
    sink = sink + nest(4, 100000);
    table.count(500);
  }
}

__attribute__((noinline)) std::vector<char>* block(std::size_t size) {
  return new std::vector<char>(size);
}

__attribute__((noinline)) void allocate(int rounds) {
  for (int i = 1; i <= rounds; i++) {
    std::vector<char>* made = block(1000 * i);
    if (i % 3 == 0) {
      kept.push_back(made);
    } else {
      delete made;
    }
  }
  kept.push_back(block(3 << 20));
}

static void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

int main(int, char** arguments) {
  double seconds = std::atof(arguments[1]);
  std::string directory = arguments[2], text;

  HeapProfilerStart((directory + "/gperftools").c_str());
  allocate(60);
  HeapProfilerDump("done");
  HeapProfilerStop();

  std::thread(allocate, 60).join();
  MallocExtension::instance()->GetHeapSample(&text);
  write(directory + "/gperftools-sample.heap", text);
  text.clear();
  MallocExtension::instance()->GetHeapGrowthStacks(&text);
  write(directory + "/gperftools-growth.txt", text);

  ProfilerStart((directory + "/gperftools-cpu.prof").c_str());
  std::thread other(compute, seconds / 2);
  compute(seconds);
  other.join();
  ProfilerStop();
}
