// Gowork writes every profile of Go's runtime/pprof about itself.
//
// It computes under labels whose values hold a semicolon and spaces, in
// recursive, inlined, generic and anonymous functions and in methods; it allocates
// memory and keeps some of it; goroutines wait for each other on a mutex and a
// channel. A CPU profile is written as NAME.pprof into the first directory, the
// others also as text (debug=1) into the second, unless it is "-".
// Usage: gowork SECONDS PROTO_DIRECTORY TEXT_DIRECTORY [CPU_NAME]
package main

import (
	"context"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sort"
	"strconv"
	"sync"
	"time"
)

// The compiler inlines mix into scramble, and both into the callers of scramble.
func mix(x uint64) uint64 {
	x ^= x >> 33
	return x * 0xff51afd7ed558ccd
}

func scramble(x uint64) uint64 {
	return mix(mix(x) + 1)
}

//go:noinline
func churn(rounds int) (sum uint64) {
	for i := 0; i < rounds; i++ {
		sum += scramble(uint64(i))
	}
	return sum
}

//go:noinline
func nest(depth, rounds int) uint64 {
	if depth > 0 {
		return nest(depth-1, rounds) + 1
	}
	return churn(rounds)
}

type number interface{ ~int | ~float64 }

//go:noinline
func largest[T number](values []T) (found T) {
	for _, value := range values {
		if value > found {
			found = value
		}
	}
	return found
}

type grid struct{ cells []float64 }

//go:noinline
func (g *grid) smooth() {
	for i := range g.cells {
		g.cells[i] = (g.cells[i] + g.cells[(i+7)%len(g.cells)]) / 2
	}
}

func sortWords(count int) []string {
	words := make([]string, count)
	for i := range words {
		words[i] = strconv.Itoa(i * 7919 % count)
	}
	sort.Slice(words, func(i, j int) bool { return words[i] < words[j] })
	return words
}

var sink uint64

func untilEnd(end time.Time, work func()) {
	for time.Now().Before(end) {
		work()
	}
}

func compute(seconds float64) {
	cells := &grid{cells: make([]float64, 20000)}
	ints := make([]int, 20000)
	tasks := []struct {
		labels []string
		work   func()
	}{
		{[]string{"request", "GET /a;b"}, func() { sink += nest(5, 20000) }},
		{[]string{"request", "POST /x", "tenant", "north west"}, cells.smooth},
		{[]string{"request", "POST /x", "tenant", "süd"}, func() { sortWords(3000) }},
		{nil, func() { sink += uint64(largest(ints)) + uint64(largest(cells.cells)) }},
	}
	share := time.Duration(seconds / float64(len(tasks)) * float64(time.Second))
	for _, task := range tasks {
		pprof.Do(context.Background(), pprof.Labels(task.labels...), func(context.Context) {
			untilEnd(time.Now().Add(share), task.work)
		})
	}
}

type list struct {
	next  *list
	label string
}

func (l *list) push(label string) *list { return &list{l, label} }

//go:noinline
func build(length int) (made *list) {
	for i := 0; i < length; i++ {
		made = made.push(strconv.Itoa(i * 100000))
	}
	return made
}

var kept []any

func allocate() {
	for i := 0; i < 40; i++ {
		made := build(2000)
		if i%8 == 0 {
			kept = append(kept, made, make([]byte, 10000*i))
		}
	}
}

func contend() {
	var lock sync.Mutex
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := 0; j < 5; j++ {
				lock.Lock()
				time.Sleep(time.Millisecond)
				lock.Unlock()
			}
		}()
	}
	all.Wait()
}

func receive(values <-chan int) {
	for range values {
	}
}

// park leaves goroutines waiting, two of them with labels.
func park() {
	values := make(chan int)
	go receive(values)
	for i := 0; i < 2; i++ {
		pprof.Do(context.Background(), pprof.Labels("pool", "a; b"), func(context.Context) {
			go receive(values)
		})
	}
	for i := 0; i < 3; i++ {
		time.Sleep(time.Millisecond)
		values <- i
	}
}

func create(directory, name string) *os.File {
	file, err := os.Create(filepath.Join(directory, name))
	if err != nil {
		log.Fatal(err)
	}
	return file
}

func write(profile *pprof.Profile, directory, name string, debug int) {
	file := create(directory, name)
	defer file.Close()
	if err := profile.WriteTo(file, debug); err != nil {
		log.Fatal(err)
	}
}

func main() {
	runtime.MemProfileRate = 65536
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	if err != nil {
		log.Fatal(err)
	}
	proto, text, cpu := os.Args[2], os.Args[3], "go-cpu"
	if len(os.Args) > 4 {
		cpu = os.Args[4]
	}

	file := create(proto, cpu+".pprof")
	if err := pprof.StartCPUProfile(file); err != nil {
		log.Fatal(err)
	}
	compute(seconds)
	pprof.StopCPUProfile()
	file.Close()
	if text == "-" {
		return
	}

	allocate()
	contend()
	park()
	runtime.GC()
	for _, profile := range pprof.Profiles() {
		write(profile, proto, "go-"+profile.Name()+".pprof", 0)
		write(profile, text, "go-"+profile.Name()+".txt", 1)
	}
}
