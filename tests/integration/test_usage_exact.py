"""Usage agrees with what others count: processors' time as time(1) tells it, memory with a known allocation."""

from harness.case import Case

MIB = 1 << 20

class Exact(Case):
    def test_processors(self):
        """Of more than five seconds of work, time(1) and Usage tell the same within 5 %."""
        burns = 'ulimit -t 6; while :; do :; done'  # until SIGKILL, after so much time of a processor, however busy that is
        container = self.root.spawn(self.rootfs, ['/bin/sh', '-c', f'time -p sh -c "{burns}" 2>&1'])
        container.wait(timeout=300)
        words = container.log().decode().split()
        told = sum(float(words[words.index(key) + 1]) for key in ('user', 'sys')) * 1e6
        usage = container.prop('Usage')
        self.assertGreater(told, 5e6, words)
        self.assertAlmostEqual(usage['CPUUsageUSec'] / told, 1, delta=0.05)
        self.assertAlmostEqual((usage['CPUUserUSec'] + usage['CPUSystemUSec']) / told, 1, delta=0.05)

    def test_memory(self):
        """The peak is an allocation of 200 MiB, within 5 %, also after the container's end."""
        container = self.root.spawn(self.rootfs, ['/bin/touchmem', '200'], MemoryMax=400 * MIB)
        self.assertEqual(container.wait(), ('success', 0))
        self.assertAlmostEqual(container.prop('Usage')['MemoryPeak'] / (200 * MIB), 1, delta=0.05)
