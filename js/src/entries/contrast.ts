import { render } from "../contrast/contrast";

export default { render };
