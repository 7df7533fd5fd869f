/** The ringing of an incoming call, made here: two tones, one second in three. Silent where the browser forbids it. */
export class Ringer {
  #context: AudioContext | undefined;
  #timer: number | undefined;

  start(): void {
    this.stop();
    navigator.vibrate?.([400, 200, 400]);
    const context = new AudioContext();
    this.#context = context;
    const ring = (): void => {
      const volume = context.createGain();
      volume.gain.value = 0.08;
      volume.connect(context.destination);
      for (const frequency of [440, 480]) {
        const tone = context.createOscillator();
        tone.frequency.value = frequency;
        tone.connect(volume);
        tone.start();
        tone.stop(context.currentTime + 1);
      }
    };
    ring();
    this.#timer = window.setInterval(ring, 3000);
  }

  stop(): void {
    window.clearInterval(this.#timer);
    void this.#context?.close();
    this.#context = undefined;
  }
}
