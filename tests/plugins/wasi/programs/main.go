// A program that uses what WASI gives: arguments, variables, input, files, directories, time, exit code.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	fmt.Println(os.Args[1:], os.Getenv("GREETING"))
	words := map[string]int{}
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		for _, word := range strings.Fields(scanner.Text()) {
			words[word]++
		}
	}
	check(os.MkdirAll("/work/out/deep", 0o755))
	for word, count := range words {
		check(os.WriteFile("/work/out/"+word, []byte(fmt.Sprint(count)), 0o644))
	}
	check(os.Rename("/work/out", "/work/words"))
	entries, err := os.ReadDir("/work/words")
	check(err)
	for _, entry := range entries {
		data, _ := os.ReadFile("/work/words/" + entry.Name())
		fmt.Println(entry.Name(), entry.IsDir(), string(data))
	}
	_, err = os.ReadFile("/work/../../etc/passwd")
	fmt.Println("outside:", err != nil)
	start := time.Now()
	done := make(chan int)
	go func() {
		time.Sleep(20 * time.Millisecond)
		done <- 1
	}()
	<-done
	fmt.Println("slept:", time.Since(start) >= 20*time.Millisecond)
	if len(os.Args) > 2 && os.Args[2] == "clock" {
		fmt.Println(start.UTC().Format(time.RFC3339Nano), time.Since(start))
		order := []string{}
		for word := range words {
			order = append(order, word) // the order of a map is random
		}
		fmt.Println(order, sort.StringsAreSorted(order))
	}
	os.Exit(7)
}
