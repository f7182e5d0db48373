/* A voice note: recorded where writing is no help, kept and sent like a photo. */
(function () {
  'use strict';
  const gw = window.gw;
  const TYPES = ['audio/webm;codecs=opus', 'audio/mp4', 'audio/ogg;codecs=opus'], MOST_MS = 180000, BITS = 32000;

  /* Why there is no microphone, for the person. */
  gw.microphoneProblem = error => gw.t(['NotAllowedError', 'SecurityError'].includes(error && error.name) ? 'phone.no_microphone_permission' : 'phone.no_microphone');

  gw.recordVoice = async function (save) {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) { gw.notice(gw.microphoneProblem(error), 'bad'); return; }
    const type = TYPES.find(t => MediaRecorder.isTypeSupported(t)), pieces = [];
    const recorder = new MediaRecorder(stream, { ...(type ? { mimeType: type } : {}), audioBitsPerSecond: BITS });
    const began = Date.now();
    let wanted = false;
    recorder.ondataavailable = e => { if (e.data.size) pieces.push(e.data); };
    const ended = new Promise(resolve => { recorder.onstop = resolve; });
    const clock = gw.el('output', 'gw-voice-clock', gw.countdown(0));
    const box = gw.dialog({ title: gw.t('phone.voice_runs'), fields: [], button: gw.t('phone.voice_keep'), submit: async () => { wanted = true; return ''; } });
    box.querySelector('h2').after(clock);
    const ticking = setInterval(() => {
      gw.setText(clock, gw.countdown(Date.now() - began));
      if (Date.now() - began > MOST_MS && recorder.state === 'recording') recorder.stop();
    }, 250);
    recorder.start(1000);
    box.addEventListener('close', async () => {
      clearInterval(ticking);
      if (recorder.state !== 'inactive') recorder.stop();
      for (const track of stream.getTracks()) track.stop();
      await ended;
      const kind = (recorder.mimeType || 'audio/webm').split(';')[0];
      if (wanted && pieces.length) save(new Blob(pieces, { type: kind }), 'voice.' + ({ 'audio/mp4': 'm4a', 'audio/ogg': 'ogg' }[kind] || 'webm'));
    });
  };
})();
