/** Return what does a step in this editor, and says so. */
function stepsIn(editor) {
  return async (what, run) => {
    const started = Date.now();
    try {
      await run();
    } catch (error) {
      await editor.shot("failed");
      throw new Error(`${what}: ${error.message}`);
    }
    console.log(`ok ${what} (${Date.now() - started} ms)`);
  };
}

module.exports = { stepsIn };
