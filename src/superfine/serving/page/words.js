// What the page says, in English and Chinese.

export const words = {
  en: {
    try: "Try it", ask: "Answer", keys: "or Ctrl+Enter", model: "Model", key: "This server asks for a key", use_key: "Use it",
    needs_key: "A key is needed", wrong_key: "The server does not know this key.", classes: "answers: {}", version: "version {}",
    text: "Text", text_pair: "Second text", question: "Question", context: "Text that answers it",
    example_text: "Arrived broken, twice.", example_text_pair: "It came in pieces.", example_question: "Who wrote it?", example_context: "Lu Xun wrote it in 1921.",
    nothing: "no answer", none: "none", no_answer: "no answer in this text", unsure: "The model is not sure enough to decide: a person does.", decision: "decision: {}", set: "may be: {}",
    confidence: "confidence {}", between: "95 % of such answers lie between {} and {}",
    table: "Predict a table", table_how: "A CSV or TSV file in UTF-8, with names in its first row. Its rows go to this server alone, and come back with the answers beside them.",
    file: "File", column_of: "Column: {}", rows: "{} rows", no_rows: "{} has no rows below a row of names.", too_long: "Row {} has {} cells, and the first row names {}: quotation marks may be missing.", no_utf8: "{} is not in UTF-8: save it as CSV UTF-8, or use superfine predict, which finds the encoding.", predict_all: "Predict all rows", stop: "Stop", download: "Download the predictions",
    progress: "{} of {} rows, {} s left", code: "Call it from code", copy: "Copy", copied: "Copied", selected: "Selected: copy it with Ctrl+C", copy_call: "Copy the call for {}",
    done: "{} rows are predicted", card: "Model card", report: "Report", titles: {},
  },
  zh: {
    try: "试一试", ask: "作答", keys: "或按 Ctrl+Enter", model: "模型", key: "此服务器需要密钥", use_key: "使用",
    needs_key: "需要密钥", wrong_key: "服务器不认识这个密钥。", classes: "答案：{}", version: "版本 {}",
    text: "文本", text_pair: "第二段文本", question: "问题", context: "含有答案的文本",
    example_text: "收到两次，都是坏的。", example_text_pair: "送来时已经碎了。", example_question: "作者是谁？", example_context: "1921 年，鲁迅写下了它。",
    nothing: "没有答案", none: "无", no_answer: "这段文本里没有答案", unsure: "模型没有足够把握作出决定，请人来判断。", decision: "决定：{}", set: "可能是：{}",
    confidence: "置信度 {}", between: "95 % 的此类答案在 {} 与 {} 之间",
    table: "预测一张表", table_how: "UTF-8 编码的 CSV 或 TSV 文件，第一行是列名。各行只发给这台服务器，返回时旁边附上答案。",
    file: "文件", column_of: "列：{}", rows: "{} 行", no_rows: "{} 在列名之下没有数据行。", too_long: "第 {} 行有 {} 个单元格，而第一行有 {} 个列名：可能缺少引号。", no_utf8: "{} 不是 UTF-8 编码：请另存为 CSV UTF-8，或使用会识别编码的 superfine predict。", predict_all: "预测所有行", stop: "停止", download: "下载预测结果",
    progress: "{} / {} 行，还需 {} 秒", code: "在代码中调用", copy: "复制", copied: "已复制", selected: "已选中：请按 Ctrl+C 复制", copy_call: "复制 {} 的调用",
    done: "已预测 {} 行", card: "模型卡片", report: "报告",
    titles: {
      "Text classifier": "文本分类", "Multi-label text classifier": "多标签文本分类", "Question answering model": "阅读理解",
      "Text regression": "文本回归", "Token classifier": "词元分类",
    },
  },
};
