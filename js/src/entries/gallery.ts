import { render } from "../gallery/gallery";

export default { render };
