// The microphone, as mono samples, without the processing that browsers do for calls.

/** Why there is no microphone here; null if there may be one. */
export function whyNot() {
  if (!window.isSecureContext) return "Browsers allow the microphone only on localhost or over https. You can upload a recording instead.";
  if (navigator.mediaDevices?.getUserMedia === undefined) return "This browser offers no microphone. You can upload a recording instead.";
  return null;
}

const REASONS = {
  NotAllowedError: "The browser doesn't let this page use the microphone. Allow it in the address bar, then try again.",
  NotFoundError: "No microphone was found.",
  NotReadableError: "Another program is using the microphone.",
};

/**
 * Starts recording.
 *
 * @param heard called with each block of samples
 * @returns {rate, stop}
 */
export async function record(heard) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (error) {
    throw new Error(REASONS[error.name] ?? `The microphone can't be used: ${error.message}`);
  }
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule("/static/recorder-worklet.js");
    if (context.state === "suspended") await context.resume();
  } catch (error) {
    for (const each of stream.getTracks()) each.stop();
    throw error;
  }
  const source = context.createMediaStreamSource(stream);
  const node = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
  node.port.onmessage = ({ data }) => heard(data);
  source.connect(node);
  const stop = () => {
    node.port.onmessage = null;
    source.disconnect();
    for (const each of stream.getTracks()) each.stop();
    return context.close();
  };
  return { rate: context.sampleRate, stop };
}
